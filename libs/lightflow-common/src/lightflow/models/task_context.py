"""Where a task runs."""

from dataclasses import asdict, dataclass
from typing import Any


@dataclass
class TaskContext:
    """The surroundings of one attempt; `dag_name` with its :n, `attempt` from 1."""

    task_name: str
    dag_name: str
    workflow_name: str
    workflow_id: str
    worker_hostname: str
    attempt: int = 1

    def to_dict(self) -> dict[str, Any]:
        """The fields as a dict."""
        return asdict(self)
