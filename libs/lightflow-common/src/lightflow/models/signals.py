"""How a task speaks to its run."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from lightflow.core.errors import InvalidRequest
from lightflow.models.calls import SignalCalls
from lightflow.models.task_data import MultiTaskData, TaskData

if TYPE_CHECKING:
    from lightflow.models.dag import Dag


class DagSignal:
    """Whether a DAG run is to stop."""

    def __init__(self, calls: SignalCalls) -> None:
        self._calls = calls
        self._is_stopped = calls.is_stopped  # bound once: loops may ask constantly

    @property
    def is_stopped(self) -> bool:
        """Whether the own DAG run or the run is stopping; costs next to nothing."""
        return self._is_stopped()


class TaskSignal(DagSignal):
    """Starts, joins and stops DAGs, and stops the run; tasks are given it as `signal`.

    A call that could not be answered because something was down is repeated until it is, and takes effect once.
    """

    def start_dag(
        self, dag: "Dag | str", *, data: MultiTaskData | TaskData | dict[str, Any] | None = None
    ) -> str | None:
        """Start a DAG of this workflow, as often as asked; gives the name of the DAG run, with its `:n`, at once.

        `data` is what its first tasks receive. None when the run is stopping. Raises DagNameUnknown.
        """
        return self._calls.start_dag(_name_of(dag), _as_data(data))

    def join_dags(self, names: Iterable[str | None] | str | None = None) -> bool:
        """Wait until those DAG runs are through (None: all but the own), lending the slot meanwhile. True.

        None among the names is ignored, an unknown name counts as through. Raises JoinImpossible for the own DAG run
        and for a cycle of joins.
        """
        if names is None:
            return self._calls.join_dags(None)
        chosen = [names] if isinstance(names, str) else [name for name in names if name is not None]
        return self._calls.join_dags(chosen)

    def stop_dag(self, name: str | None = None) -> bool:
        """Ask a DAG run (default: the own) to stop: its running tasks finish and no more start. True."""
        self._calls.stop_dag(name)
        return True

    def stop_workflow(self) -> bool:
        """Ask the run to stop. True."""
        self._calls.stop_workflow()
        return True

    def stop_descriptor(self) -> int | None:
        """A file descriptor that is readable once is_stopped is true, to wait on; None where there is none."""
        return self._calls.stop_descriptor()


def _name_of(dag: "Dag | str") -> str:
    name = dag if isinstance(dag, str) else getattr(dag, "name", None)
    if not isinstance(name, str):
        raise InvalidRequest("dag", f"start_dag takes a Dag or its name, not a {type(dag).__name__}")
    return name


def _as_data(data: object) -> MultiTaskData | None:
    if data is None or isinstance(data, MultiTaskData):
        return data
    if isinstance(data, dict):
        data = TaskData(data)
    if isinstance(data, TaskData):
        return MultiTaskData(dataset=data)
    raise InvalidRequest("data", f"start_dag takes a MultiTaskData, a TaskData or a dict, not a {type(data).__name__}")
