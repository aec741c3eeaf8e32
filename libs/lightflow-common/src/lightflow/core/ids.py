"""Identifiers. Children's ids are derived from their parent's, so that creating them twice is creating them once."""

import secrets


def new_run_id() -> str:
    """A new run id: 24 hex digits."""
    return secrets.token_hex(12)


def new_id() -> str:
    """A new id for an operation or for the incarnation of a process."""
    return secrets.token_hex(8)


def dag_run_name(dag: str, number: int) -> str:
    """What a DAG run is called within its run; `number` counts from 1 for each DAG."""
    return f"{dag}:{number}"


def dag_run_id(run_id: str, dag_run: str) -> str:
    """The id of the DAG run of that name (with its :n)."""
    return f"{run_id}:{dag_run}"


def task_run_id(dag_run: str, index: int) -> str:
    """The id of the task at `index` of the DAG run with this id."""
    return f"{dag_run}/{index}"


def run_of(child_id: str) -> str:
    """The run id in the id of a DAG run or of a task run."""
    return child_id.partition(":")[0]


def dag_run_of(task_run: str) -> str:
    """The DAG run's id in the id of a task run."""
    return task_run.rpartition("/")[0]
