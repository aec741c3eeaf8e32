"""DAG runs and their tasks as the in-process runner records them, moved by the same rules as on the real system."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from lightflow.core.dag_machine import DagDecision, DagFacts, decide
from lightflow.core.graph import DagSpec, TaskSpec
from lightflow.core.outcomes import Counts, Ending, ErrorInfo, Outcome, Settlement
from lightflow.core.readiness import Final
from lightflow.core.states import FINAL, TASK, Reason, State
from lightflow.models.base_task import BaseTask


def now() -> datetime:
    """The time as the store shows it: UTC, without a zone, in whole milliseconds."""
    time = datetime.now(UTC).replace(tzinfo=None)
    return time.replace(microsecond=time.microsecond // 1000 * 1000)


@dataclass
class AttemptRecord:
    """One try of a task; `number` from 1, times in UTC."""

    number: int
    started_at: datetime
    finished_at: datetime | None = None
    ending: Ending | None = None
    error: ErrorInfo | None = None


@dataclass(eq=False)
class TaskRun:
    """A task of a DAG run; `exception` is what its last attempt failed or aborted with."""

    index: int
    spec: TaskSpec
    task: BaseTask
    state: State = State.WAITING
    counts: Counts = field(default_factory=Counts)
    attempts: list[AttemptRecord] = field(default_factory=list)
    selected: tuple[int, ...] | None = None
    output: bytes | None = None
    error: ErrorInfo | None = None
    exception: BaseException | None = None
    finished_at: datetime | None = None

    def become(self, state: State) -> None:
        """Make a legal move."""
        self.state = TASK.check(self.state, state)
        if state in FINAL:
            self.finished_at = now()

    def begin(self) -> AttemptRecord:
        """Begin the next attempt."""
        self.become(State.RUNNING)
        self.attempts.append(AttemptRecord(len(self.attempts) + 1, now()))
        return self.attempts[-1]

    def end(self, outcome: Outcome, settlement: Settlement, exception: BaseException | None) -> None:
        """End the newest attempt."""
        attempt = self.attempts[-1]
        attempt.finished_at, attempt.ending, attempt.error = now(), outcome.ending, settlement.error
        self.counts, self.error, self.exception = settlement.counts, settlement.error, exception
        self.become(settlement.state)


@dataclass(eq=False)
class DagRun:
    """One execution of a DAG. `created` and `seen` tell what its run knows of it; `cause` is the task that ended it."""

    name: str
    spec: DagSpec
    tasks: tuple[TaskRun, ...]
    data: bytes | None = None
    state: State = State.PENDING
    stop: Reason | None = None
    reason: Reason | None = None
    cause: TaskRun | None = None
    created: bool = False
    seen: bool = False
    fresh: dict[int, Final] = field(default_factory=dict)
    started_at: datetime | None = None
    finished_at: datetime | None = None

    @classmethod
    def new(cls, name: str, spec: DagSpec, tasks: Sequence[BaseTask], data: bytes | None = None) -> "DagRun":
        """A DAG run of these task objects, in the order of the graph."""
        runs = (TaskRun(index, spec.tasks[index], task) for index, task in enumerate(tasks))
        return cls(name, spec, tuple(runs), data)

    @property
    def is_final(self) -> bool:
        return self.state in FINAL

    @property
    def is_stopping(self) -> bool:
        """What `signal.is_stopped` tells its tasks."""
        return self.stop is not None or self.state not in (State.PENDING, State.RUNNING)

    def ended(self, task: TaskRun) -> None:
        """Note that a task became final, for the next look."""
        self.fresh[task.index] = Final(task.state, task.selected)

    def look(self) -> list[TaskRun]:
        """Do what is due; the tasks that were queued by it."""
        queued: list[TaskRun] = []
        facts = self._facts()
        while True:
            decision = decide(self.spec, facts)
            queued += self._act(decision)
            if decision.skip:
                facts = self._facts()
            elif decision.count:
                facts = replace(self._facts(), remaining=any(task.state not in FINAL for task in self.tasks))
            else:
                return queued

    def _facts(self) -> DagFacts:
        known = {task.index: Final(task.state, task.selected) for task in self.tasks if task.state in FINAL}
        still_open = frozenset(range(len(self.tasks))) - known.keys()
        return DagFacts(self.state, self.stop, self.reason, dict(self.fresh), known, still_open)

    def _act(self, decision: DagDecision) -> list[TaskRun]:
        self.reason = decision.reason or self.reason
        if decision.become is not None:
            self._become(decision.become)
        if decision.stop_open:
            for task in self.tasks:
                if task.state in (State.WAITING, State.QUEUED):
                    task.become(State.STOPPED)
        for index in decision.skip:
            self.tasks[index].become(State.SKIPPED)
        for index in decision.queue:
            self.tasks[index].become(State.QUEUED)
        for index in decision.propagated:
            del self.fresh[index]
        return [self.tasks[index] for index in decision.queue]

    def _become(self, state: State) -> None:
        self.state = state
        if state is State.RUNNING:
            self.started_at = now()
        if state in FINAL:
            self.finished_at = now()
        culprits = [task for task in self.tasks if task.state in (State.ABORTED, State.FAILED)]
        if culprits and self.cause is None:
            self.cause = max(culprits, key=lambda task: task.state is State.FAILED)
