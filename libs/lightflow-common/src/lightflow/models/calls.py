"""What a task's `store` and `signal` ask for; a child process and the in-process runner each answer in their way."""

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from lightflow.models.task_data import MultiTaskData


class StoreCalls(Protocol):
    """The store of one run; keys use dots for nesting, `section` is "data" or "meta"."""

    def get(self, key: str, default: Any, section: str) -> Any:
        """The value under the key, `default` when there is none."""

    def set(self, key: str, value: Any, section: str) -> None:
        """Put the value under the key, replacing what was there."""

    def push(self, key: str, value: Any, section: str) -> None:
        """Append the value to the list under the key, atomically."""

    def extend(self, key: str, values: list[Any], section: str) -> None:
        """Append the values to the list under the key, atomically."""


class SignalCalls(Protocol):
    """The run that one attempt belongs to."""

    def start_dag(self, name: str, data: "MultiTaskData | None") -> str | None:
        """Start the DAG; its name with :n, None when the run is stopping. Raises DagNameUnknown."""

    def join_dags(self, names: list[str] | None) -> bool:
        """Wait until these DAG runs are final (None: all but the caller's own); True. Raises JoinImpossible."""

    def stop_dag(self, name: str | None) -> None:
        """Ask a DAG run to stop (None: the caller's own)."""

    def stop_workflow(self) -> None:
        """Ask the run to stop."""

    def is_stopped(self) -> bool:
        """Whether the caller's DAG run or its run is stopping; asks nobody."""

    def stop_descriptor(self) -> int | None:
        """A file descriptor that is readable once is_stopped() is true; None where there is none to wait on."""
