"""The scheduler's work: load a run, decide, save, act."""

import logging
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime

from lightflow.core import ids
from lightflow.core.errors import PayloadForged, WorkflowUnknown
from lightflow.core.graph import DagSpec
from lightflow.core.run_machine import RunDecision, RunFacts, begin_at_once, decide
from lightflow.core.states import FINAL, Reason, Service, State
from lightflow.runtime.datastore.mongo import RunStore
from lightflow.runtime.datastore.tree import from_tree, to_tree
from lightflow.runtime.hints import Hints
from lightflow.runtime.mongo import SCHEMA, Document
from lightflow.runtime.notify import Notifier
from lightflow.runtime.payloads import Payloads
from lightflow.runtime.specs import Specs
from lightflow_scheduler.creation import Dags
from lightflow_scheduler.store import Run, Store, ends_look

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Scheduler:
    """Moves runs."""

    store: Store
    specs: Specs
    data: RunStore
    payloads: Payloads
    hints: Hints
    notifier: Notifier
    known: dict[str, Run] = field(default_factory=dict)

    def know(self, run: Document) -> None:
        """Take a run as it was just written for what the next look would read; a move that is saved checks it."""
        self.known[run["_id"]] = Run(run)

    async def look(self, run_id: str) -> None:
        """Do what is due for a run; with nothing due this costs one read."""
        while (run := self.known.pop(run_id, None) or await self.store.load(run_id)) is not None:
            if run.document["schema"] > SCHEMA:
                logger.warning("run %s was written by a newer release and is left to it", run_id)
                return
            if run.state in FINAL:
                await self._close(run)
                return
            decision = decide(_facts(run))
            if decision == RunDecision(reason=decision.reason) and not run.changed:
                await self.store.looked_at(run)
                return
            if await self._act(run, decision):
                return

    async def _act(self, run: Run, decision: RunDecision) -> bool:
        """Save and do what was decided; whether the look is over by that."""
        try:
            if decision.store_arguments:
                await self._store_arguments(run)
            dags = await self._dags(run, decision.create)
        except (WorkflowUnknown, PayloadForged) as error:
            logger.error("run %s cannot begin: %s", run.id, error)
            await self.store.fail(run, error)
            return False
        now = run.now()  # what begins by this does so before any of its tasks is there to be claimed
        if dags:
            await self._create(run, dags, now, decision.reason)
        ends = decision.become in FINAL
        cleanup = ends and not run.document["keep_data"] and await self.data.may_hold(run.id)
        if (saved := await self.store.save(run, decision, now, cleanup)) is None:
            return False
        if decision.stop_dags and decision.reason is not None:
            await self._stop_dags(run, decision.reason)
        if decision.become is None:
            # Last of all: as long as a mark is there, what was not finished is found again.
            await self.store.saw(run)
        await self.notifier.publish("begun" if decision.become is State.RUNNING else "run", run=run.id)
        if ends:
            await self._close(replace(run, document=saved))
        return ends_look(run, decision)

    async def _create(self, run: Run, dags: Dags, now: datetime, stop: Reason | None) -> None:
        """Create DAG runs. Those that are small begin by that: their tasks are created before, and hinted at.

        User code begins when it is recorded that both run and DAG run have. The others begin with a dag-runner, or end
        with it where they are to stop.
        """
        begun = {name: dags[name] for name in begin_at_once(dags)} if stop is None else {}
        if begun:
            await self.store.create_tasks(run, begun, now)
            self._hint(Service.TASK_WORKER, _roots(run, begun))
        await self.store.create_dag_runs(run, dags, begun.keys(), now, stop)
        others = {name: dag for name, dag in dags.items() if name not in begun}
        self._hint(Service.DAG_RUNNER, [(dag.queue, ids.dag_run_id(run.id, name)) for name, dag in others.items()])

    def _hint(self, service: Service, wanted: Iterable[tuple[str, str]]) -> None:
        """Hint at these (queue, id)."""
        by_queue: dict[str, list[str]] = defaultdict(list)
        for queue, id_ in wanted:
            by_queue[queue].append(id_)
        for queue, those in by_queue.items():
            self.hints.send(service, queue, those)

    async def _dags(self, run: Run, names: Collection[str]) -> Dags:
        """The DAG of each of these DAG runs."""
        if not names:
            return {}
        wanted = frozenset(names)
        dags = {start["name"]: start["dag"] for start in run.document["starts"] if start["name"] in wanted}
        try:
            spec = await self.specs.get(run.document["version"])
        except (WorkflowUnknown, PayloadForged) as error:
            if run.state is State.PENDING:
                raise
            # The dag-runner can read the version no better: it fails the DAG run, and with it the run, and says why.
            logger.error("run %s cannot go on: %s", run.id, error)
            return {name: DagSpec(dag) for name, dag in dags.items()}
        return {name: spec.dag(dag) for name, dag in dags.items()}

    async def _stop_dags(self, run: Run, reason: Reason) -> None:
        stopped = await self.store.stop_dags(run, reason)
        self._hint(Service.DAG_RUNNER, [(dag_run["queue"], dag_run["_id"]) for dag_run in stopped])
        await self.notifier.publish("stop", run=run.id)

    async def _store_arguments(self, run: Run) -> None:
        """Put each start argument under its name into the store; dots in a name nest."""
        field = run.document.get("values")
        for name, tree in (to_tree(await self.payloads.load(field)) if field else {}).items():
            await self.data.set(run.id, name, from_tree(tree), "data", f"{run.id}:start:{name}")

    async def _close(self, run: Run) -> None:
        """What follows a final state; the mark that makes this due stays until all of it is done."""
        never_began = run.document.get("started_at") is None
        if never_began:
            # It was stopped before; a look that had begun it may have left DAG runs behind, or tasks that have none.
            left_behind = await self._dags(run, await self.store.left_behind(run))
            await self._create(run, left_behind, run.now(), Reason.STOPPED)
            await self._stop_dags(run, Reason.STOPPED)
        if never_began or "dirty" in run.document or run.changed:
            if run.document.get("cleanup"):
                await self.data.remove_data(run.id)
            await self.store.saw(run)
            if "dirty" in run.document:
                await self.store.closed(run)


def _roots(run: Run, dags: Dags) -> Iterator[tuple[str, str]]:
    """The first tasks of these DAG runs, as (queue, id)."""
    for name, dag in dags.items():
        for root in dag.roots:
            yield dag.tasks[root].queue, ids.task_run_id(ids.dag_run_id(run.id, name), root)


def _facts(run: Run) -> RunFacts:
    reason = run.document.get("reason")
    return RunFacts(
        state=run.state,
        reason=None if reason is None else Reason(reason),
        starts=run.starts,
        ended=run.ended,
        troubles=run.troubles,
        told_to_stop=reason is not None and run.document.get("told") == reason,
    )
