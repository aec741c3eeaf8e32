"""The dag-runner's work: load a DAG run, decide, save, act."""

import logging
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace

from lightflow.core import ids
from lightflow.core.dag_machine import DagDecision, DagFacts, decide
from lightflow.core.errors import PayloadForged, WorkflowUnknown
from lightflow.core.graph import DagSpec
from lightflow.core.readiness import SKIPPED
from lightflow.core.states import FINAL, Reason, Service, State
from lightflow.runtime.hints import Hints
from lightflow.runtime.marks import AT_ONCE
from lightflow.runtime.mongo import SCHEMA
from lightflow.runtime.notify import Notifier
from lightflow.runtime.specs import Specs
from lightflow_dag_runner.knowledge import Knowledge
from lightflow_dag_runner.store import DagRun, Store

logger = logging.getLogger(__name__)

BROADER = 16
"""By how much more predecessors are asked for when the ones asked for turn out to have ended."""


class StaleLook(Exception):  # noqa: N818  not an error: the look starts over
    """What a look has read is no longer so."""


@dataclass(frozen=True, slots=True)
class DagRunner:
    """Moves DAG runs, and their tasks from waiting to queued or skipped."""

    store: Store
    specs: Specs
    knowledge: Knowledge
    hints: Hints
    notifier: Notifier

    async def look(self, dag_run_id: str) -> None:
        """Do what is due for a DAG run; with nothing due this costs one read, and one more where there is none."""
        while (dag_run := await self.store.load(dag_run_id)) is not None:
            if await self._look(dag_run):
                return
            logger.debug("DAG run %s changed while it was looked at", dag_run_id)
        logger.debug("nothing to look at: there is no DAG run %s", dag_run_id)
        if (queue := await self.store.run_queue(dag_run_id)) is not None:
            # The tasks' DAG run is about to be; or who was creating it died, and the run was stopped before it began.
            self.hints.send(Service.SCHEDULER, queue, [ids.run_of(dag_run_id)])

    async def _look(self, dag_run: DagRun) -> bool:
        """One look; whether it came to an end with everything that was marked seen."""
        if dag_run.document["schema"] > SCHEMA:
            logger.warning("DAG run %s was written by a newer release and is left to it", dag_run.id)
            return True
        try:
            await self._go(dag_run)
        except StaleLook:
            return False
        return len(dag_run.fresh) < AT_ONCE

    async def _go(self, dag_run: DagRun) -> None:
        try:
            dag = (await self.specs.get(dag_run.document["version"])).dag(dag_run.document["dag"])
        except (WorkflowUnknown, PayloadForged) as error:
            dag, dag_run = DagSpec(dag_run.document["dag"]), _failed(dag_run, error)
        facts, begun = self._facts(dag_run), False
        while True:
            decision = decide(dag, facts)
            if decision.probe:
                facts = await self._probe(dag_run, facts, decision.probe)
                continue
            moved = await self._act(dag_run, dag, facts, decision)
            facts = replace(
                facts,
                state=decision.become or facts.state,
                reason=decision.reason or facts.reason,
                known={**facts.known, **dict.fromkeys(decision.skip, SKIPPED)},
            )
            begun = begun or decision.begins
            if not decision.count and not decision.again:
                break
            remaining = None
            if decision.count:
                remaining = (moved and bool(decision.queue)) or await self._count(dag_run, facts)
            facts = replace(facts, remaining=remaining)
        await self._finish(dag_run, facts, begun)

    def _facts(self, dag_run: DagRun) -> DagFacts:
        document = dag_run.document
        return DagFacts(
            state=dag_run.state,
            stop=_reason(document.get("stop")),
            reason=_reason(document.get("reason")),
            fresh=dag_run.fresh,
            known=self.knowledge.of(dag_run.id) | dag_run.fresh,
            begins="dirty" in document,
        )

    async def _probe(self, dag_run: DagRun, facts: DagFacts, indexes: tuple[int, ...]) -> DagFacts:
        ends = await self.store.ends(dag_run.id, indexes)
        still_open = facts.still_open | {index for index in indexes if index not in ends}
        return replace(facts, known={**facts.known, **ends}, still_open=still_open, breadth=facts.breadth * BROADER)

    async def _count(self, dag_run: DagRun, facts: DagFacts) -> bool:
        remains = await self.store.remains(dag_run.id, len(facts.fresh) + 1)
        if not remains.is_open and not remains.marked <= facts.fresh.keys():
            raise StaleLook
        return remains.is_open

    async def _act(self, dag_run: DagRun, dag: DagSpec, seen: DagFacts, decision: DagDecision) -> bool:
        """Save and do what was decided; whether every task that it moves is known to have been where it moves from."""
        if decision.create_tasks:
            await self.store.create_tasks(dag_run, dag, decision.queue)
            self._hint_at(dag_run, dag, decision.queue)
        if decision.become is not None and not await self.store.become(dag_run, seen, decision):
            raise StaleLook
        moved = await self.store.apply(dag_run.id, decision)
        if not decision.create_tasks:
            self._hint_at(dag_run, dag, decision.queue)
        if decision.become in FINAL or decision.become is State.STOPPING:
            self.hints.send(Service.SCHEDULER, dag_run.document["run_queue"], [dag_run.document["run"]])
        if decision.become is State.STOPPING:
            await self.notifier.publish("stop", run=dag_run.document["run"])
        if decision.become and decision.become is not State.RUNNING:
            await self.notifier.publish("dag", run=dag_run.document["run"])
        elif decision.become or decision.propagated or ((decision.queue or decision.skip) and not seen.fresh):
            await self.notifier.publish("task", run=dag_run.document["run"])
        return moved

    def _hint_at(self, dag_run: DagRun, dag: DagSpec, indexes: Iterable[int]) -> None:
        for queue, queued in _by_queue(dag, indexes).items():
            self.hints.send(Service.TASK_WORKER, queue, (ids.task_run_id(dag_run.id, index) for index in queued))

    async def _finish(self, dag_run: DagRun, facts: DagFacts, begun: bool) -> None:
        if facts.state in FINAL:
            self.knowledge.forget(dag_run.id)
        else:
            self.knowledge.learn(dag_run.id, dict(facts.known))
        # While it stops, a worker that does not know may hand over in vain, which leaves no mark: sweeps look again.
        if "dirty" in dag_run.document and facts.state is not State.STOPPING and not begun:
            await self.store.looked_at(dag_run)


def _reason(value: str | None) -> Reason | None:
    return None if value is None else Reason(value)


def _failed(dag_run: DagRun, error: Exception) -> DagRun:
    """The DAG run as one that is asked to fail, because nobody can tell what its tasks are."""
    cause = {"state": State.FAILED, "task": "", "error": {"type": type(error).__name__, "message": str(error)}}
    return DagRun({**dag_run.document, "stop": Reason.FAILED}, dag_run.fresh, (cause, *dag_run.errors))


def _by_queue(dag: DagSpec, indexes: Iterable[int]) -> dict[str, list[int]]:
    queues: dict[str, list[int]] = defaultdict(list)
    for index in indexes:
        queues[dag.tasks[index].queue].append(index)
    return queues
