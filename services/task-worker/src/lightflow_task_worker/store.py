"""Attempts in MongoDB, as a worker sees them: claim, facts, commit, hand back. Each step is safe to repeat."""

import os
from collections.abc import Sequence
from dataclasses import dataclass

from pymongo import UpdateMany, UpdateOne
from pymongo.errors import BulkWriteError, PyMongoError

from lightflow.core.graph import DagSpec
from lightflow.core.outcomes import Ending
from lightflow.core.states import Reason, State
from lightflow.runtime import attempts, moves
from lightflow.runtime.batches import Batches
from lightflow.runtime.membership import PYTHON, Member
from lightflow.runtime.mongo import NOW, SCHEMA, Database, Document, failures
from lightflow_task_worker.ending import End
from lightflow_task_worker.waiting import Awaited


@dataclass(frozen=True, slots=True)
class Take:
    """A task to claim in the command that queues it, as its document will be then."""

    task: Document
    operation: str


@dataclass(frozen=True, slots=True)
class Committed:
    """Whether an outcome was accepted, whether its successors were still waiting, and the attempt that was claimed."""

    accepted: bool
    whole: bool = True
    taken: Document | None = None


class Store:
    """What a task worker reads and writes."""

    def __init__(self, db: Database, member: Member) -> None:
        self._task_runs = db["task_runs"]
        self._member = member
        self._ends = Batches(self.end_several)

    async def claim(self, queues: Sequence[str], operation: str, only: Awaited | None = None) -> Document | None:
        """Take the oldest claimable attempt of these queues; None when there is none.

        With `only`, the newest of what is awaited: older ones might come to wait for newer ones, too.
        """
        query = _claimable(queues) | ({} if only is None else _of(only))
        return await self._task_runs.find_one_and_update(
            query, self._claimed(operation), sort=[("ready_at", 1 if only is None else -1)], return_document=True
        )

    async def claim_several(self, queues: Sequence[str], operation: str, most: int) -> tuple[list[Document], bool]:
        """Take up to so many of the oldest claimable attempts, and whether more may be left.

        Three commands at the most, for any number: which they are, a step for each, and where another worker was faster
        with some, which of them it got.
        """
        wanted = self._task_runs.find(_claimable(queues), {"output": 0}).sort("ready_at", 1).limit(most)
        found = await wanted.to_list()
        if not found:
            return [], False
        steps = [UpdateOne(_as_found(task), self._claimed(operation)) for task in found]
        taken = (await self._task_runs.bulk_write(steps, ordered=False)).matched_count
        mine = [self._as_claimed(task, operation) for task in found]
        return mine if taken == len(found) else await self.claimed_by(operation), len(found) == most

    def _claimed(self, operation: str) -> list[Document]:
        change: Document = {
            "state": State.RUNNING.value,
            "holder": self._member.incarnation,
            "claim": operation,
            "changed_at": NOW,
            "started_at": {"$ifNull": ["$started_at", NOW]},
            "attempts": {"$concatArrays": ["$attempts", [self._attempt() | {"started_at": NOW}]]},
        }
        return [{"$set": change}]

    def _as_claimed(self, task: Document, operation: str) -> Document:
        """A document as the server has it after the claim, but for its times."""
        facts = {"state": State.RUNNING.value, "holder": self._member.incarnation, "claim": operation}
        return {**task, **facts, "attempts": [*task["attempts"], self._attempt()]}

    def _attempt(self) -> Document:
        mine = self._member
        return {"worker": mine.name, "incarnation": mine.incarnation, "pid": os.getpid(), "outcome": None}

    def is_mine(self, task: Document) -> bool:
        """Whether an attempt is in the name that this worker has now."""
        return bool(task["holder"] == self._member.incarnation)

    async def claimed_by(self, operation: str) -> list[Document]:
        """The attempts that a claim took whose reply was lost."""
        mine = {"holder": self._member.incarnation, "state": State.RUNNING.value, "claim": operation}
        return await self._task_runs.find(mine, {"output": 0}).to_list()

    async def held(self) -> list[Document]:
        """The attempts recorded in this worker's name."""
        mine = {"holder": self._member.incarnation, "state": State.RUNNING.value}
        return [task async for task in self._task_runs.find(mine, {"output": 0})]

    async def commit(
        self, task: Document, dag: DagSpec, end: End, output: Document | None, take: Take | None = None
    ) -> Committed:
        """End the attempt, with what follows, and claim one of those at once; refused when it does not hold the task.

        It is one command: where the fence does not let the first step pass, that step becomes an insert of an id that
        exists, whose error keeps the steps after it from being made.
        """
        change = attempts.commit(task, dag, end.outcome, end.settlement, output)
        if end.follows is None:
            return Committed(await self._ends.one((attempts.fence(task), change)))
        ready, skipped = end.follows.ready, end.follows.skipped
        steps: list[UpdateOne | UpdateMany] = [UpdateOne(attempts.fence(task), change, upsert=True)]
        steps += moves.follow(task["dag_run"], ready, skipped, [task["index"]])
        if take is not None:
            steps.append(UpdateOne(_as_found(take.task), self._claimed(take.operation)))
        try:
            matched = (await self._task_runs.bulk_write(steps, ordered=True)).matched_count
        except BulkWriteError as error:
            if 0 not in _failed(error):
                raise
            return Committed(False)
        whole = matched == len(ready) + len(skipped) + (2 if take is None else 3)
        if take is None:
            return Committed(True, whole)
        if whole:
            return Committed(True, whole, self._as_claimed(take.task, take.operation))
        return Committed(True, whole, next(iter(await self.claimed_by(take.operation)), None))

    async def end_several(self, ends: list[tuple[Document, list[Document]]]) -> list[bool | Exception]:
        """Which of these fences let their changes through, or what is wrong with one: it is nothing to the others."""
        if len(ends) == 1:
            return [await self._end(*ends[0])]
        steps = [UpdateOne(fence, change, upsert=True) for fence, change in ends]
        results: list[bool | Exception] = [True] * len(ends)
        try:
            await self._task_runs.bulk_write(steps, ordered=False)
        except BulkWriteError as error:
            # A step that failed did nothing: taken by itself it tells whether its fence or its change is the reason.
            for index in _failed(error):
                try:
                    results[index] = await self._end(*ends[index])
                except PyMongoError as reason:
                    results[index] = reason
        return results

    async def _end(self, fence: Document, change: list[Document]) -> bool:
        return (await self._task_runs.update_one(fence, change)).matched_count == 1

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


def _claimable(queues: Sequence[str]) -> Document:
    return {
        "state": State.QUEUED.value,
        "queue": {"$in": list(queues)},
        "python": PYTHON,
        "schema": {"$lte": SCHEMA},
        "$expr": {"$lte": ["$ready_at", NOW]},
    }


def _failed(error: BulkWriteError) -> list[int]:
    return [failure["index"] for failure in failures(error)]


def _as_found(task: Document) -> Document:
    """The filter for a queued task whose attempts are still those."""
    return {"_id": task["_id"], "state": State.QUEUED.value, "attempts": {"$size": len(task["attempts"])}}


def _of(awaited: Awaited) -> Document:
    rest = {"run": {"$in": awaited.runs}, "dag_run": {"$nin": awaited.but}}
    return {"$or": [{"dag_run": {"$in": awaited.dag_runs}}, rest]}
