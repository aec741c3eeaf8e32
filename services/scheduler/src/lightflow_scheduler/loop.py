"""The scheduler's work: load a run, decide, save, act."""

import logging
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from lightflow.core import ids
from lightflow.core.run_machine import RunDecision, RunFacts, decide
from lightflow.core.states import FINAL, Reason, Service
from lightflow.runtime.datastore.mongo import RunStore
from lightflow.runtime.datastore.tree import from_tree, to_tree
from lightflow.runtime.hints import Hints
from lightflow.runtime.mongo import SCHEMA
from lightflow.runtime.notify import Notifier
from lightflow.runtime.payloads import Payloads
from lightflow.runtime.specs import Specs
from lightflow_scheduler.store import Run, Store

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

    async def look(self, run_id: str) -> None:
        """Do what is due for a run; with nothing due this costs one read."""
        while (run := await self.store.load(run_id)) is not None:
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
            await self._act(run, decision)

    async def _act(self, run: Run, decision: RunDecision) -> None:
        if decision.store_arguments:
            await self._store_arguments(run)
        if decision.create:
            await self.store.create_dag_runs(run, decision.create, await self.specs.get(run.document["version"]))
        if not await self.store.save(run, decision):
            return
        queues = {start["name"]: start["dag"] for start in run.document["starts"]}
        if decision.create:
            spec = await self.specs.get(run.document["version"])
            self._hint(run, {name: spec.dag(queues[name]).queue for name in decision.create})
        if decision.stop_dags and decision.reason is not None:
            await self._stop_dags(run, decision.reason)
        if decision.become is None:
            # Last of all: as long as a mark is there, what was not finished is found again.
            await self.store.saw(run)
        await self.notifier.publish("run", run=run.id)

    def _hint(self, run: Run, queues: Mapping[str, str]) -> None:
        by_queue: dict[str, list[str]] = defaultdict(list)
        for name, queue in queues.items():
            by_queue[queue].append(ids.dag_run_id(run.id, name))
        for queue, dag_runs in by_queue.items():
            self.hints.send(Service.DAG_RUNNER, queue, dag_runs)

    async def _stop_dags(self, run: Run, reason: Reason) -> None:
        for dag_run in await self.store.stop_dags(run, reason):
            self.hints.send(Service.DAG_RUNNER, dag_run["queue"], [dag_run["_id"]])
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
            # It was stopped before; a look that had begun it may have left DAG runs behind.
            await self._stop_dags(run, Reason.STOPPED)
        if never_began or "dirty" in run.document or run.changed:
            if run.document.get("cleanup"):
                await self.data.remove_data(run.id)
                await self.store.cleaned(run)
            await self.store.saw(run)
            await self.store.looked_at(run)


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
