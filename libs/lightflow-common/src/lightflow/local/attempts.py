"""One attempt of a task, in some thread."""

import copy
import pickle
import platform
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lightflow.core.errors import AttemptSuperseded, OutputUnpicklable
from lightflow.core.inputs import contributions
from lightflow.core.outcomes import Ending, Outcome
from lightflow.local.alarm import Alarm
from lightflow.local.calls import Signal, Store, dumps
from lightflow.local.dags import DagRun, TaskRun
from lightflow.models.attempt import error_info, run_attempt
from lightflow.models.datastore import DataStoreDocument
from lightflow.models.signals import TaskSignal
from lightflow.models.task_context import TaskContext
from lightflow.models.task_data import MultiTaskData, TaskData, as_input, compose_input

if TYPE_CHECKING:
    from lightflow.local.engine import Engine

WORKER = f"local@{platform.node()}"


@dataclass(frozen=True)
class Ended:
    """What an attempt ended with: its outcome, its output, and the exception that it failed or aborted with."""

    outcome: Outcome
    output: bytes | None = None
    exception: BaseException | None = None


class Attempt:
    """Runs a task once; `is_over` once its outcome is recorded, from when on nothing it asks for has an effect."""

    def __init__(self, engine: "Engine", dag_run: DagRun, task: TaskRun) -> None:
        self._engine = engine
        self.dag_run = dag_run
        self.task = task
        self.record = task.begin()
        self.alarm = Alarm(task.spec.name, task.spec.timeout, engine.wake, lambda: engine.give_up(self))
        self.is_over = False

    def start(self) -> None:
        """Run in a thread of its own, which ends with the process at the latest."""
        threading.Thread(target=self._engine.guarded, args=(self.work,), daemon=True).start()

    def work(self) -> None:
        """Run in this thread, which is called DAG:n/TASK meanwhile, and report."""
        thread = threading.current_thread()
        name, thread.name = thread.name, f"{self.dag_run.name}/{self.task.spec.name}"
        try:
            self._engine.ended(self, self._run())
        finally:
            thread.name = name

    @contextmanager
    def allowed(self) -> Iterator[None]:
        """Within, a timeout is held back; raises AttemptSuperseded when the attempt is over."""
        with self.alarm.shield():
            if self.is_over:
                raise AttemptSuperseded(self.task.spec.name, self.record.number)
            yield

    def _run(self) -> Ended:
        caught: list[BaseException] = []
        try:
            try:
                self.alarm.arm()
                outcome, output = run_attempt(
                    copy.copy(self.task.task),  # what it changes of itself the next attempt does not see
                    self._input(),
                    DataStoreDocument(Store(self._engine.data, self.allowed)),
                    TaskSignal(Signal(self._engine, self)),
                    self._context(),
                    tell=caught.append,
                )
                return Ended(outcome, None if output is None else self._pickled(output), caught[-1] if caught else None)
            finally:
                self.alarm.disarm()
        except BaseException as error:
            self.alarm.disarm()  # it may have struck just before it was
            return Ended(Outcome(Ending.ERROR, error_info(error)), exception=error)

    def _input(self) -> MultiTaskData:
        """Its own copies of what its predecessors hand on, or of what its DAG was started with."""
        dag, tasks, index = self.dag_run.spec, self.dag_run.tasks, self.task.index
        if not dag.predecessors[index]:
            data = self.dag_run.data
            return as_input(self.task.spec.name, None if data is None else pickle.loads(data))  # noqa: S301
        states = {parent: tasks[parent].state for parent, _ in dag.predecessors[index]}
        outputs = contributions(dag, index, states)
        return compose_input(
            self.task.spec.name,
            [
                (given.name, (given.alias,) if given.alias else (), _copy(tasks[given.index].output))
                for given in outputs
            ],
        )

    def _context(self) -> TaskContext:
        engine = self._engine
        return TaskContext(
            self.task.spec.name, self.dag_run.name, engine.workflow, engine.run_id, WORKER, attempt=self.record.number
        )

    def _pickled(self, output: TaskData) -> bytes:
        try:
            return dumps(output)
        except Exception as error:
            raise OutputUnpicklable(task=self.task.spec.name, reason=str(error)) from error


def _copy(output: bytes | None) -> TaskData:
    """A dataset from its bytes: they were made in this process."""
    return TaskData() if output is None else pickle.loads(output)  # noqa: S301
