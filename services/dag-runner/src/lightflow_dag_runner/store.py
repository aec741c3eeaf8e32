"""DAG runs and their tasks in MongoDB: each method is one atomic step, safe to repeat."""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from pymongo.errors import BulkWriteError

from lightflow.core import ids
from lightflow.core.dag_machine import DagDecision, DagFacts
from lightflow.core.graph import DagSpec
from lightflow.core.readiness import Final
from lightflow.core.states import FINAL, State
from lightflow.runtime import moves
from lightflow.runtime.mongo import NOW, SCHEMA, Database, Document

FRESH_AT_ONCE = 10_000
DUPLICATE = 11000
OPEN = [state.value for state in (State.WAITING, State.QUEUED, State.RUNNING)]


@dataclass(frozen=True, slots=True)
class DagRun:
    """A DAG run as one look finds it, with the tasks that ended and were not looked at."""

    document: Document
    fresh: dict[int, Final] = field(default_factory=dict)
    errors: tuple[Document, ...] = ()

    @property
    def id(self) -> str:
        return str(self.document["_id"])

    @property
    def state(self) -> State:
        return State(self.document["state"])


class Store:
    """What a dag-runner reads and writes."""

    def __init__(self, db: Database, worker: str) -> None:
        self._dag_runs = db["dag_runs"]
        self._task_runs = db["task_runs"]
        self._begun_by = {"worker": {"$literal": worker}, "pid": os.getpid()}

    async def load(self, dag_run: str) -> DagRun | None:
        """A DAG run and its fresh tasks, in one command; None when there is none of this id.

        The marks are read first: what is known of the DAG run is then never older than what is known of its tasks.
        """
        pipeline: list[Document] = [
            {"$match": {"dag_run": dag_run, "marked": True}},
            {"$limit": FRESH_AT_ONCE},
            {"$project": {"index": 1, "state": 1, "selected": 1, "error": 1, "task": 1}},
            {"$unionWith": {"coll": "dag_runs", "pipeline": [{"$match": {"_id": dag_run}}]}},
        ]
        found = [doc async for doc in await self._task_runs.aggregate(pipeline, batchSize=FRESH_AT_ONCE + 1)]
        if not found or found[-1]["_id"] != dag_run:
            return None
        *tasks, document = found
        errors = tuple(task for task in tasks if task["state"] in (State.ABORTED, State.FAILED))
        return DagRun(document, {task["index"]: _final(task) for task in tasks}, errors)

    async def ends(self, dag_run: str, indexes: Iterable[int]) -> dict[int, Final]:
        """Those of the tasks at these indexes that have ended."""
        wanted = {"_id": {"$in": [ids.task_run_id(dag_run, index) for index in indexes]}}
        found = self._task_runs.find(wanted, {"index": 1, "state": 1, "selected": 1})
        return {task["index"]: _final(task) async for task in found if State(task["state"]) in FINAL}

    async def create_tasks(self, dag_run: DagRun, dag: DagSpec) -> None:
        """Insert the tasks that do not exist yet, waiting."""
        try:
            if dag.tasks:
                await self._task_runs.insert_many(_new_tasks(dag_run.document, dag), ordered=False)
        except BulkWriteError as error:
            if any(failure["code"] != DUPLICATE for failure in error.details["writeErrors"]):
                raise

    async def become(self, dag_run: DagRun, seen: DagFacts, decision: DagDecision) -> bool:
        """Make the decided move from the state and reason that were seen; False when they are no longer those.

        What the scheduler must see of it is marked in the same update.
        """
        assert decision.become is not None, "a decision without a move has nothing to save"
        change: Document = {"state": decision.become.value, "changed_at": NOW}
        if decision.become is State.RUNNING:
            change |= {"started_at": NOW, **self._begun_by}
        if decision.reason is not None:
            change["reason"] = decision.reason.value
        if dag_run.errors:
            change["error"] = {"$ifNull": ["$error", {"$literal": self._error(dag_run)}]}
        if decision.become in FINAL or decision.become is State.STOPPING:
            change["marked"] = True
        if decision.become in FINAL:
            change["finished_at"] = NOW
        expected = {"_id": dag_run.id, "state": seen.state.value, "reason": seen.reason and seen.reason.value}
        return (await self._dag_runs.update_one(expected, [{"$set": change}])).matched_count == 1

    async def apply(self, dag_run: str, decision: DagDecision) -> None:
        """Move the tasks as decided, then clear the marks, in one command whose steps keep that order."""
        steps = [moves.stop_open(dag_run)] if decision.stop_open else []
        steps += moves.follow(dag_run, decision.queue, decision.skip, decision.propagated)
        if steps:
            await self._task_runs.bulk_write(steps, ordered=True)

    async def has_open_tasks(self, dag_run: str) -> bool:
        """Whether a task of the DAG run is not final."""
        found = await self._task_runs.find_one({"dag_run": dag_run, "state": {"$in": OPEN}}, {"_id": 1})
        return found is not None

    async def has_marks_beside(self, dag_run: str, fresh: Mapping[int, Final]) -> bool:
        """Whether a task ended that is not among the fresh ones."""
        marked = self._task_runs.find({"dag_run": dag_run, "marked": True}, {"index": 1}).limit(len(fresh) + 1)
        return any([task["index"] not in fresh async for task in marked])

    async def looked_at(self, dag_run: DagRun) -> None:
        """Clear the mark that made this look due, unless something was written since."""
        seen = {"_id": dag_run.id, "dirty": dag_run.document["dirty"]}
        await self._dag_runs.update_one(seen, {"$unset": {"dirty": ""}})

    @staticmethod
    def _error(dag_run: DagRun) -> Document:
        worst = max(dag_run.errors, key=lambda task: task["state"] == State.FAILED)
        cause = worst.get("error") or {"type": "AbortWorkflow", "message": "", "traceback": ""}
        return {**cause, "task": worst["task"], "dag": dag_run.document["name"]}


def _final(task: Document) -> Final:
    selected = task.get("selected")
    return Final(State(task["state"]), None if selected is None else tuple(selected))


def _new_tasks(dag_run: Document, dag: DagSpec) -> Iterable[Document]:
    common = {
        "schema": SCHEMA,
        "run": dag_run["run"],
        "dag_run": dag_run["_id"],
        "dag": dag_run["name"],
        "dag_queue": dag_run["queue"],
        "version": dag_run["version"],
        "python": dag_run["python"],
        "state": State.WAITING.value,
        "attempts": [],
        "errors": 0,
        "deaths": 0,
        "losses": 0,
    }
    for index, task in enumerate(dag.tasks):
        yield {
            "_id": ids.task_run_id(dag_run["_id"], index),
            "index": index,
            "task": task.name,
            "queue": task.queue,
            **common,
        }
