"""Runs in MongoDB: each method is one atomic step, safe to repeat."""

import asyncio
import os
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from pymongo import UpdateMany, UpdateOne
from pymongo.errors import BulkWriteError

from lightflow.core import ids
from lightflow.core.run_machine import RunDecision, Start
from lightflow.core.states import FINAL, RUN, Reason, State
from lightflow.runtime import expecting
from lightflow.runtime.batches import Batches, Turns
from lightflow.runtime.creation import create_tasks
from lightflow.runtime.expecting import MARK, Expecting
from lightflow.runtime.marks import with_marked
from lightflow.runtime.mongo import Database, Document, check_duplicates
from lightflow_scheduler.creation import Dags, new_dag_runs, new_tasks_of


@dataclass(frozen=True, slots=True)
class Run:
    """A run as one look finds it, with those of its DAG runs that it has not seen change.

    `read_at` is when that was, by the clock of the event loop.
    """

    document: Document
    changed: tuple[Document, ...] = ()
    read_at: float = field(default_factory=lambda: asyncio.get_running_loop().time())

    @property
    def id(self) -> str:
        return str(self.document["_id"])

    @property
    def state(self) -> State:
        return State(self.document["state"])

    def now(self) -> datetime:
        """The server's time, or a little earlier: that of the read or insertion, and what passed since its reply."""
        then: datetime = self.document.get("now") or self.document["created_at"]
        return then + timedelta(seconds=asyncio.get_running_loop().time() - self.read_at)

    @property
    def starts(self) -> tuple[Start, ...]:
        return tuple(Start(start["name"], start["created"], start["final"]) for start in self.document["starts"])

    @property
    def ended(self) -> dict[str, State]:
        return {dag["name"]: State(dag["state"]) for dag in self.changed if State(dag["state"]) in FINAL}

    @property
    def troubles(self) -> frozenset[Reason]:
        return frozenset(Reason(dag["reason"]) for dag in self.changed if dag.get("reason"))


class Store:
    """What a scheduler reads and writes; what looks ask for at the same time goes in one command."""

    def __init__(self, db: Database, worker: str, turns: Turns) -> None:
        self._db = db
        self._runs = db["runs"]
        self._dag_runs = db["dag_runs"]
        self._task_runs = db["task_runs"]
        self._begun_by = {"worker": worker, "pid": os.getpid()}
        self._loads = Batches(self._load_several, turns)
        self._creations = Batches(self._create_several, turns)
        self._dag_run_steps = Batches(self._write_dag_runs, turns)
        self._saves = Batches(self._save_several, turns)
        self._ends = Batches(self._end_several, turns)

    async def load(self, run_id: str) -> Run | None:
        """A run and its changed DAG runs; None when there is none of this id."""
        return await self._loads.one(run_id)

    async def _load_several(self, run_ids: Sequence[str]) -> list[Run | None]:
        found = await with_marked(self._db, "runs", "dag_runs", "run", run_ids, "name state reason error")
        return [None if each[0] is None else Run(each[0], tuple(each[1])) for each in found]

    async def create_tasks(self, run: Run, dags: Dags, now: datetime) -> None:
        """Insert all tasks of these DAG runs that do not exist yet, the first ones queued as of `now`."""
        await self._creations.one(new_tasks_of(run.document, dags, now))

    async def _create_several(self, creations: Sequence[list[Document]]) -> list[None]:
        await create_tasks(self._task_runs, (task for tasks in creations for task in tasks))
        return [None] * len(creations)

    async def create_dag_runs(
        self, run: Run, dags: Dags, begun: Collection[str], now: datetime, stop: Reason | None
    ) -> None:
        """Insert the documents of these DAG runs where they do not exist yet; those `begun` have their tasks."""
        if dags:
            beginning = self._begun_by | {"started_at": now}
            await self._dag_run_steps.one([*new_dag_runs(run.document, dags, begun, beginning, stop)])

    async def left_behind(self, run: Run) -> list[str]:
        """The names of the DAG runs that tasks of this run are for, whether they exist or not."""
        return await self._task_runs.distinct("dag", {"run": run.id})

    async def _write_dag_runs(self, several: Sequence[list[UpdateOne | UpdateMany]]) -> list[None]:
        try:
            await self._dag_runs.bulk_write([step for steps in several for step in steps], ordered=False)
        except BulkWriteError as error:
            check_duplicates(error)
        return [None] * len(several)

    async def save(self, run: Run, decision: RunDecision, now: datetime, cleanup: bool = False) -> Document | None:
        """Record the decision; None when the run has changed since it was loaded and must be looked at again.

        Where it ends the look it clears the mark that made that due. `cleanup` marks a run that ends as one with data.
        `now` is when a run begins by it.
        """
        target = decision.become or run.state
        mark = ids.new_id()
        change: Document = {"state": target.value, MARK: mark}
        filters: list[Mapping[str, Any]] = []
        if decision.reason is not None:
            change["reason"] = decision.reason.value
        if run.document.get("error") is None and (error := _worst_error(run.changed)) is not None:
            change["error"] = error
        for name, names in (("created", decision.create), ("final", tuple(run.ended))):
            if names:
                change[f"starts.$[{name}].{name}"] = True
                filters.append({f"{name}.name": {"$in": list(names)}})
        stamps = {"changed_at": True}
        if target is State.RUNNING and run.state is State.PENDING:
            change |= self._begun_by | {"started_at": now}
        if target in FINAL:
            stamps["finished_at"] = True
        if cleanup:
            change |= {"cleanup": True, "dirty": ids.new_id()}
        update: Document = {"$set": change, "$currentDate": stamps}
        expected, saved = self._expected(run, target), {**run.document, **change}
        if "dirty" in saved and ends_look(run, decision) and not cleanup and not decision.stop_dags:
            update["$unset"] = {"dirty": ""}
            expected["dirty"] = saved.pop("dirty")
        step = Expecting(run.id, mark, UpdateOne(expected, update, array_filters=filters or None))
        return saved if await self._saves.one(step) else None

    async def _save_several(self, updates: Sequence[Expecting]) -> list[bool]:
        done = await self._runs.bulk_write([each.update for each in updates], ordered=False)
        return await expecting.made(self._runs, updates, done.matched_count)

    async def fail(self, run: Run, error: Exception) -> None:
        """Record that a run cannot begin, and why."""
        change: Document = {
            "state": RUN.check(State.PENDING, State.FAILED).value,
            "reason": Reason.FAILED.value,
            "error": {"type": type(error).__name__, "message": str(error), "traceback": ""},
            "cleanup": not run.document["keep_data"],
            "dirty": ids.new_id(),
        }
        stamps = {"changed_at": True, "finished_at": True}
        await self._runs.update_one(
            {"_id": run.id, "state": State.PENDING.value}, {"$set": change, "$currentDate": stamps}
        )

    @staticmethod
    def _expected(run: Run, target: State) -> Document:
        expected: Document = {"_id": run.id, "state": run.state.value, "reason": run.document.get("reason")}
        if target in FINAL:
            still_open = {"final": False, "name": {"$nin": list(run.ended)}}
            expected["starts"] = {"$not": {"$elemMatch": still_open}}
        return expected

    async def stop_dags(self, run: Run, reason: Reason) -> list[Document]:
        """Ask every DAG run that is not final to stop for this reason; those that were asked."""
        open_ = {"run": run.id, "state": {"$nin": [state.value for state in FINAL]}}
        change = {"$set": {"stop": reason.value, "dirty": ids.new_id()}, "$currentDate": {"changed_at": True}}
        await self._dag_runs.update_many({**open_, "stop": {"$ne": reason.value}}, change)
        await self._runs.update_one({"_id": run.id}, {"$set": {"told": reason.value}})
        return [dag async for dag in self._dag_runs.find(open_, {"queue": 1})]

    async def saw(self, run: Run) -> None:
        """Clear the marks of the DAG runs that this look has taken into account."""
        by_state: dict[str, list[str]] = defaultdict(list)
        for dag_run in run.changed:
            by_state[dag_run["state"]].append(dag_run["_id"])
        these = [{"_id": {"$in": dag_runs}, "state": state} for state, dag_runs in by_state.items()]
        if these:
            await self._dag_run_steps.one([UpdateMany(few, {"$unset": {"marked": ""}}) for few in these])

    async def closed(self, run: Run) -> None:
        """Record that nothing of a final run is left to clean or to look at, unless something was written since."""
        await self._end_look(run, "cleanup", "dirty")

    async def looked_at(self, run: Run) -> None:
        """Clear the mark that made this look due, unless something was written since."""
        if "dirty" in run.document:
            await self._end_look(run, "dirty")

    async def _end_look(self, run: Run, *marks: str) -> None:
        seen = {"_id": run.id, "dirty": run.document.get("dirty")}
        await self._ends.one(UpdateOne(seen, {"$unset": dict.fromkeys(marks, "")}))

    async def _end_several(self, updates: Sequence[UpdateOne]) -> list[None]:
        await self._runs.bulk_write(updates, ordered=False)
        return [None] * len(updates)


def ends_look(run: Run, decision: RunDecision) -> bool:
    """Whether nothing is left to look at once a decision is recorded, unless the run has changed meanwhile.

    What a run is due for after it began, or got DAG runs, hangs on the marks of those.
    """
    goes_on = decision.become in (None, State.RUNNING) and not decision.stop_dags
    return (goes_on and not run.changed) or decision.become in FINAL


def _worst_error(changed: Iterable[Document]) -> Document | None:
    errors = [dag for dag in changed if dag.get("error")]
    return max(errors, key=lambda dag: dag.get("reason") == Reason.FAILED)["error"] if errors else None
