"""Attempts in MongoDB, as a worker sees them: claim, facts, commit, hand back. Each step is safe to repeat."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate

from pymongo import UpdateMany, UpdateOne
from pymongo.errors import BulkWriteError, PyMongoError

from lightflow.core.graph import DagSpec
from lightflow.core.outcomes import Ending
from lightflow.core.states import Reason, State
from lightflow.runtime import attempts, moves
from lightflow.runtime.batches import Batches, Turns
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
class Commit:
    """The change of the task that the fence lets through, what follows, and how many tasks these find at the most."""

    fence: Document
    change: list[Document]
    follows: list[UpdateMany | UpdateOne] = field(default_factory=list)
    most: int = 1

    @property
    def steps(self) -> list[UpdateMany | UpdateOne]:
        """The updates, in their order.

        Where the fence does not let the first one pass, it becomes an insert that cannot be made, whose error keeps
        those after it from being made.
        """
        return [UpdateOne(self.fence, self.change, upsert=True), *self.follows]


@dataclass(frozen=True, slots=True)
class Committed:
    """Whether an outcome was accepted, whether its successors were still waiting, and the attempt that was claimed."""

    accepted: bool
    whole: bool = True
    taken: Document | None = None


class Store:
    """What a task worker reads and writes."""

    def __init__(self, db: Database, member: Member, turns: Turns) -> None:
        self._task_runs = db["task_runs"]
        self._member = member
        self._commits = Batches(self.commit_several, turns)

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
        # In the name that goes with the command: this worker may have another by the time of the answer.
        mine = [self._as_claimed(task, operation) for task in found]
        taken = (await self._task_runs.bulk_write(steps, ordered=False)).matched_count
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

        Outcomes that come together are committed by one command.
        """
        follows: list[UpdateMany | UpdateOne] = []
        most = 1
        taken = None
        if end.follows is not None:
            ready, skipped = end.follows.ready, end.follows.skipped
            follows += moves.follow(task["dag_run"], ready, skipped, [task["index"]])
            most += len(ready) + len(skipped) + 1
        if take is not None:
            follows.append(UpdateOne(_as_found(take.task), self._claimed(take.operation)))
            most += 1
            taken = self._as_claimed(take.task, take.operation)  # in the name that goes with the command
        change = attempts.commit(task, dag, end.outcome, end.settlement, output)
        committed = await self._commits.one(Commit(attempts.fence(task), change, follows, most))
        if take is None or not committed.accepted:
            return committed
        if committed.whole:
            return replace(committed, taken=taken)
        return replace(committed, taken=next(iter(await self.claimed_by(take.operation)), None))

    async def commit_several(self, commits: Sequence[Commit]) -> list[Committed | Exception]:
        """What came of each of these, or what is wrong with one: it is nothing to the others."""
        results: list[Committed | Exception] = []
        while left := commits[len(results) :]:
            steps = [step for commit in left for step in commit.steps]
            try:
                matched = (await self._task_runs.bulk_write(steps, ordered=True)).matched_count
                return [*results, *_accepted(left, matched)]
            except BulkWriteError as error:
                failed = failures(error)[0]["index"]
                done = _before(left, failed)
                is_first = failed == sum(len(commit.steps) for commit in done)
                # Of a commit that broke off half way its first steps are counted, too: nothing is known of the others.
                results += _accepted(done, error.details["nMatched"] if is_first else 0)
                # What is behind it was not made: that goes into another command.
                results.append(await self._alone(left[len(done)]) if is_first else error)
        return results

    async def _alone(self, commit: Commit) -> Committed | Exception:
        """A first step that failed did nothing: taken alone it tells whether its fence or its change is the reason."""
        try:
            accepted = (await self._task_runs.update_one(commit.fence, commit.change)).matched_count == 1
        except PyMongoError as error:
            return error
        return Committed(accepted, whole=False)

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


def _accepted(commits: Sequence[Commit], matched: int) -> list[Committed]:
    """The server tells how many tasks were found in all: each was, if that is the most that there can be."""
    return [Committed(True, matched == sum(commit.most for commit in commits))] * len(commits)


def _before(commits: Sequence[Commit], step: int) -> list[Commit]:
    """Those of the commits that are over before the step of this number, counted through all of them."""
    ends = accumulate(len(commit.steps) for commit in commits)
    return [commit for commit, end in zip(commits, ends, strict=True) if end <= step]


def _as_found(task: Document) -> Document:
    """The filter for a queued task whose attempts are still those."""
    return {"_id": task["_id"], "state": State.QUEUED.value, "attempts": {"$size": len(task["attempts"])}}


def _of(awaited: Awaited) -> Document:
    rest = {"run": {"$in": awaited.runs}, "dag_run": {"$nin": awaited.but}}
    return {"$or": [{"dag_run": {"$in": awaited.dag_runs}}, rest]}
