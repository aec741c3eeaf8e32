"""Where a task runs."""

from dataclasses import asdict, dataclass
from typing import Any


@dataclass
class TaskContext:
    """Where an attempt runs; tasks are given it as `context`."""

    task_name: str
    """the name of the task"""
    dag_name: str
    """the DAG run, with its `:n`"""
    workflow_name: str
    """the name of the workflow"""
    workflow_id: str
    """the id of the run, 24 hex digits"""
    worker_hostname: str
    """the worker that runs it"""
    attempt: int = 1
    """which attempt this is, from 1"""

    def to_dict(self) -> dict[str, Any]:
        """The fields as a dict."""
        return asdict(self)
