"""Attempts in MongoDB, as a worker sees them: claim, facts, commit, hand back. Each step is safe to repeat."""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from pymongo import UpdateOne
from pymongo.errors import BulkWriteError

from lightflow.core import ids
from lightflow.core.graph import DagSpec
from lightflow.core.outcomes import Ending
from lightflow.core.states import Reason, State
from lightflow.runtime import attempts, moves
from lightflow.runtime.membership import PYTHON, Member
from lightflow.runtime.mongo import NOW, SCHEMA, Database, Document
from lightflow_task_worker.ending import End
from lightflow_task_worker.waiting import Awaited

GOING_ON = (State.PENDING, State.RUNNING)


@dataclass(frozen=True, slots=True)
class StopFacts:
    """Whether an attempt should stop, and in how many seconds it is to be killed (None: not at all)."""

    reason: Reason | None = None
    kill_in: float | None = None


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What is known about an attempt before its user code runs; `outputs` and `states` by index of the predecessor."""

    stop: StopFacts
    workflow: str
    start_data: Document | None
    states: dict[int, State] = field(default_factory=dict)
    outputs: dict[int, Document] = field(default_factory=dict)


class Store:
    """What a task worker reads and writes."""

    def __init__(self, db: Database, member: Member) -> None:
        self._task_runs = db["task_runs"]
        self._runs = db["runs"]
        self._member = member

    async def claim(self, queues: Sequence[str], operation: str, only: Awaited | None = None) -> Document | None:
        """Take the oldest claimable attempt of these queues; None when there is none.

        With `only`, the newest of what is awaited: older ones might come to wait for newer ones, too.
        """
        claimable: Document = {
            "state": State.QUEUED.value,
            "queue": {"$in": list(queues)},
            "python": PYTHON,
            "schema": {"$lte": SCHEMA},
            "$expr": {"$lte": ["$ready_at", NOW]},
        }
        if only is not None:
            claimable |= _of(only)
        attempt: Document = {
            "worker": self._member.name,
            "incarnation": self._member.incarnation,
            "pid": os.getpid(),
            "started_at": NOW,
            "outcome": None,
        }
        change: Document = {
            "state": State.RUNNING.value,
            "holder": self._member.incarnation,
            "claim": operation,
            "changed_at": NOW,
            "started_at": {"$ifNull": ["$started_at", NOW]},
            "attempts": {"$concatArrays": ["$attempts", [attempt]]},
        }
        return await self._task_runs.find_one_and_update(
            claimable, [{"$set": change}], sort=[("ready_at", 1 if only is None else -1)], return_document=True
        )

    def is_mine(self, task: Document) -> bool:
        """Whether an attempt is in the name that this worker has now."""
        return bool(task["holder"] == self._member.incarnation)

    async def claimed_by(self, operation: str) -> Document | None:
        """The attempt that a claim took whose reply was lost."""
        mine = {"holder": self._member.incarnation, "state": State.RUNNING.value, "claim": operation}
        return await self._task_runs.find_one(mine)

    async def circumstances(self, task: Document, dag: DagSpec) -> Circumstances:
        """What an attempt must know before it begins, in one command."""
        parents = [ids.task_run_id(task["dag_run"], index) for index, _ in dag.predecessors[task["index"]]]
        pipeline = [*_stop_questions([task["run"]], [task["dag_run"]])]
        if parents:
            outputs = [{"$match": {"_id": {"$in": parents}}}, {"$project": {"index": 1, "state": 1, "output": 1}}]
            pipeline.append({"$unionWith": {"coll": "task_runs", "pipeline": outputs}})
        run: Document = {}
        dag_run: Document = {}
        states: dict[int, State] = {}
        found_outputs: dict[int, Document] = {}
        async for document in await self._runs.aggregate(pipeline):
            if document["_id"] == task["run"]:
                run = document
            elif document["_id"] == task["dag_run"]:
                dag_run = document
            else:
                states[document["index"]] = State(document["state"])
                if document.get("output"):
                    found_outputs[document["index"]] = document["output"]
        stop = _stop_facts(run, dag_run)
        return Circumstances(stop, run.get("workflow", ""), dag_run.get("data"), states, found_outputs)

    async def stop_facts(self, tasks: Iterable[Document]) -> dict[str, StopFacts]:
        """The stop facts of attempts, by id, in one command."""
        tasks = list(tasks)
        pipeline = _stop_questions([task["run"] for task in tasks], [task["dag_run"] for task in tasks])
        found = {document["_id"]: document async for document in await self._runs.aggregate(pipeline)}
        return {task["_id"]: _stop_facts(found.get(task["run"], {}), found.get(task["dag_run"], {})) for task in tasks}

    async def held(self) -> list[Document]:
        """The attempts recorded in this worker's name."""
        mine = {"holder": self._member.incarnation, "state": State.RUNNING.value}
        return [task async for task in self._task_runs.find(mine, {"output": 0})]

    async def commit(self, task: Document, dag: DagSpec, end: End, output: Document | None) -> bool:
        """End the attempt, with what follows; False when it no longer holds the task, so that its outcome is refused.

        It is one command: where the fence does not let the first step pass, that step becomes an insert of an id that
        exists, whose error keeps the steps after it from being made.
        """
        change = attempts.commit(task, dag, end.outcome, end.settlement, output)
        if end.follows is None:
            return (await self._task_runs.update_one(attempts.fence(task), change)).matched_count == 1
        first = UpdateOne(attempts.fence(task), change, upsert=True)
        rest = moves.follow(task["dag_run"], end.follows.ready, end.follows.skipped, [task["index"]])
        try:
            await self._task_runs.bulk_write([first, *rest], ordered=True)
        except BulkWriteError as error:
            if error.details["writeErrors"][0]["index"] != 0:
                raise
            return False
        return True

    async def is_committed(self, task: Document) -> bool:
        """Whether the commit of this claim took effect although its reply was lost; others can only have lost it."""
        mine = {"_id": task["_id"], "claim": task["claim"], "holder": None}
        # Compared here: in a query a path through an array also means a field of that name in each element.
        found = await self._task_runs.find_one(mine, {"attempts.outcome": 1})
        outcomes = [attempt["outcome"] for attempt in found["attempts"]] if found else []
        return any(outcome not in (None, Ending.LOST) for outcome in outcomes[len(task["attempts"]) - 1 :])

    async def queues_of(self, task_runs: Sequence[str]) -> list[str]:
        """The queues of those of these attempts that nobody has claimed."""
        queued = {"_id": {"$in": list(task_runs)}, "state": State.QUEUED.value}
        return [str(queue) for queue in await self._task_runs.distinct("queue", queued)]

    async def hand_back(self, task: Document, stopping: Reason | None) -> None:
        """Give back an attempt whose user code never began."""
        await self._task_runs.update_one(attempts.fence(task), attempts.hand_back(stopping))


def _of(awaited: Awaited) -> Document:
    rest = {"run": {"$in": awaited.runs}, "dag_run": {"$nin": awaited.but}}
    return {"$or": [{"dag_run": {"$in": awaited.dag_runs}}, rest]}


def _stop_questions(runs: list[str], dag_runs: list[str]) -> list[dict[str, Any]]:
    of_run = {"state": 1, "reason": 1, "workflow": 1, "kill_in": {"$subtract": ["$kill_at", NOW]}}
    of_dag_run = {"state": 1, "stop": 1, "data": 1}
    return [
        {"$match": {"_id": {"$in": runs}}},
        {"$project": of_run},
        {
            "$unionWith": {
                "coll": "dag_runs",
                "pipeline": [{"$match": {"_id": {"$in": dag_runs}}}, {"$project": of_dag_run}],
            }
        },
    ]


def _stop_facts(run: Document, dag_run: Document) -> StopFacts:
    if not run or not dag_run:
        return StopFacts(Reason.STOPPED)
    kill_in = run.get("kill_in")
    seconds = None if kill_in is None else max(0.0, kill_in / 1000)
    if State(run["state"]) not in GOING_ON:
        return StopFacts(Reason(run.get("reason") or Reason.STOPPED), seconds)
    if dag_run.get("stop") or State(dag_run["state"]) not in GOING_ON:
        return StopFacts(Reason(dag_run.get("stop") or Reason.STOPPED), seconds)
    return StopFacts(None, seconds)
