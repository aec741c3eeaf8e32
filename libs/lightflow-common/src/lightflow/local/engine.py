"""A run in this process: the machines of core, moved under one lock by whoever has news for them.

Attempts that run side by side have a thread each. Threads, and not DAG runs that run inside the call that joins them,
because such tasks may wait for each other: for a stop signal, or for something in the store. One of the threads is that
of the caller, which is interrupted by signals and where debuggers and thread-bound connections work: a sequence of
tasks runs in it alone.
"""

import logging
import threading
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from lightflow.core import joins
from lightflow.core.errors import InvalidRequest
from lightflow.core.graph import WorkflowSpec
from lightflow.core.ids import dag_run_name, new_id, new_run_id
from lightflow.core.outcomes import Ending, Outcome, Rules, settle
from lightflow.core.run_machine import RunDecision, RunFacts, Start, decide
from lightflow.core.states import FINAL, RUN, Reason, State
from lightflow.local.attempts import Attempt, Ended
from lightflow.local.calls import RunData
from lightflow.local.dags import DagRun, TaskRun, now
from lightflow.local.meta import meta_of
from lightflow.local.telling import tell
from lightflow.models.attempt import error_info
from lightflow.models.base_task import BaseTask
from lightflow.runtime.datastore.encoding import encode

SLOTS = 32
"""How many attempts run at a time; one that waits in join_dags does not count."""

logger = logging.getLogger(__name__)


class Engine:
    """One run. Methods may be called from any thread; `data` is its store, `cause` the task that ended it, if any."""

    def __init__(
        self, spec: WorkflowSpec, tasks: Mapping[str, list[BaseTask]], queue: str, sleep: Callable[[float], object]
    ) -> None:
        self.run_id = new_run_id()
        self.workflow, self.queue = spec.name, queue
        self.state: State = State.PENDING
        self.reason: Reason | None = None
        self.dag_runs: dict[str, DagRun] = {}
        self.cause: TaskRun | None = None
        self.started_at: datetime | None = None
        self.data = RunData(self.run_id, self._meta)
        self._spec, self._tasks, self._sleep = spec, tasks, sleep
        self._arguments: Mapping[str, Any] = {}
        self._told: Reason | None = None
        self._joins: list[dict[str, Any]] = []
        self._ready: list[tuple[DagRun, TaskRun]] = []
        self._holding: set[Attempt] = set()
        self._caller = threading.get_ident()
        self._callers: Attempt | None = None  # the one that the caller's thread runs, or is about to
        self._broken: BaseException | None = None
        self._monitor = threading.Condition()

    def run(self, arguments: Mapping[str, Any]) -> None:
        """Run to the end. Interrupted, the run is asked to stop and not waited for."""
        self._arguments = arguments
        with self._monitor:
            for dag in self._spec.dags:
                if dag.autostart:
                    self._add(dag.name)
            self._look()
        try:
            while (attempt := self._next_of_caller()) is not None:
                attempt.work()
        except BaseException:
            self.stop()
            raise

    def wake(self) -> None:
        """Have those who wait look again whether they still have to."""
        with self._monitor:
            self._monitor.notify_all()

    def guarded(self, work: Callable[..., None], *arguments: Any) -> None:
        """Do something in this thread; what goes wrong in it is raised by `run`."""
        try:
            work(*arguments)
        except BaseException as error:
            with self._monitor:
                self._broken = error
                self._monitor.notify_all()

    # What tasks ask for

    def start_dag(self, name: str, data: bytes | None) -> str | None:
        """Start a DAG with a pickled dataset; its name, None when the run is stopping. Raises DagNameUnknown."""
        self._spec.dag(name)
        with self._monitor:
            if self.state is not State.RUNNING:
                return None
            dag_run = self._add(name, data)
            self._look()
            return dag_run.name

    def join_dags(self, attempt: Attempt, names: list[str] | None) -> None:
        """Wait until these DAG runs are final, or all but the attempt's own. Raises JoinImpossible."""
        with self._monitor:
            own, known = attempt.dag_run.name, set(self.dag_runs)
            wanted = known - {own} if names is None else (known | {own}) & set(names)
            request = new_id()
            join = {"request": request, "caller": own, "names": sorted(wanted)}
            self._joins.append(join)
            try:
                joins.check(self._joins, request)
                self._lend(attempt, [self.dag_runs[name] for name in wanted])
            finally:
                self._joins.remove(join)

    def stop_dag(self, name: str) -> None:
        """Ask a DAG run to stop. Raises InvalidRequest for one that does not exist."""
        with self._monitor:
            if name not in self.dag_runs:
                known = ", ".join(sorted(self.dag_runs)[:10])
                raise InvalidRequest("name", f"run {self.run_id} has no DAG run {name!r}; it has {known}")
            dag_run = self.dag_runs[name]
            dag_run.stop = dag_run.stop or Reason.STOPPED
            self._look(dag_run)

    def stop(self) -> None:
        """Ask the run to stop."""
        with self._monitor:
            if self.state is State.RUNNING:
                self.state, self.reason = RUN.check(self.state, State.STOPPING), Reason.STOPPED
                self._look()

    # What attempts report

    def ended(self, attempt: Attempt, end: Ended) -> None:
        """Record an attempt's outcome, once, and do what follows from it."""
        with self._monitor:
            if attempt.is_over:
                return
            attempt.is_over = True
            self._holding.discard(attempt)
            if attempt is self._callers and threading.get_ident() == self._caller:
                self._callers = None
            dag_run, task = attempt.dag_run, attempt.task
            for name in dag_run.spec.strangers(task.index, end.outcome.limit):
                logger.warning("the limit of task %r names %r, which is no successor of it", task.spec.name, name)
            rules = Rules(task.spec.retry_policy, stopping=dag_run.is_stopping)
            settlement = settle(end.outcome, task.counts, rules)
            task.selected = dag_run.spec.select(task.index, end.outcome.limit)
            task.output = end.output
            task.end(end.outcome, settlement, end.exception)
            tell(f"{dag_run.name}/{task.spec.name}", settlement)
            if settlement.state is State.QUEUED:
                self._repeat(dag_run, task, settlement.delay)
            else:
                dag_run.ended(task)
            self._look(dag_run)

    def give_up(self, attempt: Attempt) -> None:
        """End an attempt that did not come back after its timeout; its thread goes on without effect."""
        error = attempt.alarm.error()
        self.ended(attempt, Ended(Outcome(Ending.ERROR, error_info(error)), exception=error))

    # Under the lock

    def _add(self, dag: str, data: bytes | None = None) -> DagRun:
        number = 1 + sum(dag_run.spec.name == dag for dag_run in self.dag_runs.values())
        dag_run = DagRun.new(dag_run_name(dag, number), self._spec.dag(dag), self._tasks[dag], data)
        self.dag_runs[dag_run.name] = dag_run
        return dag_run

    def _look(self, *dag_runs: DagRun) -> None:
        for dag_run in dag_runs:
            self._ready.extend((dag_run, task) for task in dag_run.look())
        while True:
            facts = self._facts()
            decision = decide(facts)
            for name in facts.ended:
                self.dag_runs[name].seen = True
            if decision == RunDecision(reason=decision.reason):
                break
            self._act(decision)
        self._launch()
        self._monitor.notify_all()

    def _facts(self) -> RunFacts:
        every = self.dag_runs.values()
        return RunFacts(
            state=self.state,
            reason=self.reason,
            starts=tuple(Start(dag_run.name, dag_run.created, dag_run.seen) for dag_run in every),
            ended={dag_run.name: dag_run.state for dag_run in every if dag_run.is_final and not dag_run.seen},
            troubles=frozenset(
                dag_run.reason for dag_run in every if dag_run.state is State.STOPPING and dag_run.reason is not None
            ),
            told_to_stop=self.reason is not None and self._told is self.reason,
        )

    def _act(self, decision: RunDecision) -> None:
        if decision.store_arguments:
            for name, value in self._arguments.items():
                self.data.write("set", name, encode(value), "data")
        self.reason = decision.reason or self.reason
        if decision.become is not None:
            self.state = decision.become
            self.started_at = self.started_at or now()
        if self.cause is None:
            causes = [dag_run for dag_run in self.dag_runs.values() if dag_run.cause is not None]
            worst = max(causes, key=lambda dag_run: dag_run.reason is Reason.FAILED, default=None)
            self.cause = worst.cause if worst else None
        due = [self.dag_runs[name] for name in decision.create]
        for dag_run in due:
            dag_run.created = True
        if decision.stop_dags:
            self._told = decision.reason
            due = [dag_run for dag_run in self.dag_runs.values() if not dag_run.is_final]
            for dag_run in due:
                dag_run.stop = decision.reason
        for dag_run in due:
            self._ready.extend((dag_run, task) for task in dag_run.look())

    def _launch(self) -> None:
        """Begin what is ready. A timeout works best in the caller's thread."""
        if self._callers is None:
            self._ready.sort(key=lambda ready: ready[1].spec.timeout is None)
        while self._ready and len(self._holding) < SLOTS:
            dag_run, task = self._ready.pop(0)
            if task.state is not State.QUEUED:
                continue  # it was stopped meanwhile
            attempt = Attempt(self, dag_run, task)
            self._holding.add(attempt)
            if self._callers is None:
                self._callers = attempt
            else:
                attempt.start()

    def _next_of_caller(self) -> Attempt | None:
        """What the caller's thread does next, None when the run is over. Raises what went wrong in another thread."""
        with self._monitor:
            if self._callers is not None and self._callers.is_over:  # given up, and come back at last
                self._callers = None
                self._launch()
            self._monitor.wait_for(lambda: self._callers or self._broken or self.state in FINAL)
            if self._broken is not None:
                raise self._broken
            return self._callers

    def _lend(self, attempt: Attempt, dag_runs: list[DagRun]) -> None:
        """Wait for DAG runs; the slot of the attempt is others' meanwhile."""
        self._holding.discard(attempt)
        self._launch()
        self._monitor.wait_for(
            lambda: attempt.is_over or attempt.alarm.is_due or all(dag_run.is_final for dag_run in dag_runs)
        )
        if not attempt.is_over:
            self._holding.add(attempt)

    def _repeat(self, dag_run: DagRun, task: TaskRun, delay: float) -> None:
        def wait() -> None:
            self._sleep(delay)
            with self._monitor:
                self._ready.append((dag_run, task))
                self._launch()
                self._monitor.notify_all()

        if delay:
            threading.Thread(target=self.guarded, args=(wait,), daemon=True).start()
        else:
            self._ready.append((dag_run, task))

    def _meta(self) -> dict[str, Any]:
        with self._monitor:
            return meta_of(self)
