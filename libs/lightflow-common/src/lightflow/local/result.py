"""What a run in this process ended with."""

import pickle
from contextlib import nullcontext
from dataclasses import dataclass

from lightflow.core.errors import ResultMissing, TaskAmbiguous, TaskUnknown
from lightflow.core.outcomes import ErrorInfo
from lightflow.core.states import State
from lightflow.local.calls import RunData, Store
from lightflow.local.dags import AttemptRecord, DagRun, TaskRun
from lightflow.local.engine import Engine
from lightflow.local.modules import OwnModules
from lightflow.models.datastore import DataStoreDocument
from lightflow.models.task_data import TaskData


@dataclass(frozen=True)
class TaskResult:
    """How a task ended; `Result.data` gives what it handed on."""

    name: str
    """the name of the task"""
    dag: str
    """the DAG run, with its `:n`"""
    state: State
    """succeeded, skipped, stopped, aborted or failed"""
    attempts: tuple[AttemptRecord, ...]
    """oldest first"""
    error: ErrorInfo | None
    """`type`, `message` and `traceback` of what the last attempt failed with"""
    exception: BaseException | None
    """that exception itself"""
    output: bytes | None
    """what it handed on, pickled"""


@dataclass(frozen=True)
class DagResult:
    """How a DAG run ended."""

    name: str
    """with its `:n`"""
    state: State
    """succeeded, stopped, aborted or failed"""
    tasks: dict[str, TaskResult]
    """by name, in the order of the schema"""


class Result:
    """How a run ended, its data and its store."""

    id: str
    """24 hex digits"""
    workflow: str
    """the name of the workflow"""
    state: State
    """succeeded, stopped, aborted or failed"""
    error: ErrorInfo | None
    """`type`, `message` and `traceback` of what made it fail or abort"""
    exception: BaseException | None
    """that exception itself"""
    dag_runs: dict[str, DagResult]
    """by name, `main:1` and so on"""
    store: DataStoreDocument
    """the store as the run left it"""

    def __init__(self, engine: Engine, modules: OwnModules) -> None:
        self._modules = modules
        self.id = engine.run_id
        self.workflow = engine.workflow
        self.state = engine.state
        cause = engine.cause
        self.error = (cause.error or ErrorInfo("AbortWorkflow", "")) if cause else None
        self.exception = cause.exception if cause else None
        self.dag_runs = {dag_run.name: _dag_result(dag_run) for dag_run in engine.dag_runs.values()}
        self.store = DataStoreDocument(_LastingStore(engine.data, modules))

    def __repr__(self) -> str:
        return f"<Result of {self.workflow}: {self._end}>"

    @property
    def _end(self) -> str:
        return f"{self.state} ({self.error.type}: {self.error.message})" if self.error else str(self.state)

    @property
    def states(self) -> dict[str, State]:
        """The states of the tasks; of several DAG runs, by DAG:n/NAME."""
        several = len(self.dag_runs) > 1
        every = (task for dag_run in self.dag_runs.values() for task in dag_run.tasks.values())
        return {f"{task.dag}/{task.name}" if several else task.name: task.state for task in every}

    def task(self, name: str) -> TaskResult:
        """A task, named NAME or DAG:n/NAME; raises TaskUnknown, and TaskAmbiguous."""
        every = [task for dag_run in self.dag_runs.values() for task in dag_run.tasks.values()]
        found = [task for task in every if f"{task.dag}/{task.name}" == name]
        found = found or [task for task in every if task.name == name]
        if not found:
            raise TaskUnknown(name, self.id, tuple(dict.fromkeys(task.name for task in every)))
        if len(found) > 1:
            raise TaskAmbiguous(name, tuple(f"{task.dag}/{task.name}" for task in found))
        return found[0]

    def data(self, task: str) -> TaskData:
        """A copy of the output of a task, named NAME or DAG:n/NAME; raises as `task`, and ResultMissing."""
        found = self.task(task)
        if found.output is None:
            raise ResultMissing(task, f"it is {found.state}, in a run that is {self._end}")
        with self._modules.installed():
            data: TaskData = pickle.loads(found.output)  # noqa: S301 (made in this process)
        return data


class _LastingStore(Store):
    """The store of a run that is over: what it gives may be of classes that only the run had imported."""

    def __init__(self, data: RunData, modules: OwnModules) -> None:
        super().__init__(data, nullcontext)
        self._modules = modules

    def get(self, key: str, default: object, section: str) -> object:
        with self._modules.installed():
            return super().get(key, default, section)


def _dag_result(dag_run: DagRun) -> DagResult:
    return DagResult(
        dag_run.name, dag_run.state, {task.spec.name: _task_result(dag_run, task) for task in dag_run.tasks}
    )


def _task_result(dag_run: DagRun, task: TaskRun) -> TaskResult:
    return TaskResult(
        task.spec.name, dag_run.name, task.state, tuple(task.attempts), task.error, task.exception, task.output
    )
