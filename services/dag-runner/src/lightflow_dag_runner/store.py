"""DAG runs and their tasks in MongoDB: each method is one atomic step, safe to repeat."""

import math
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from pymongo import UpdateMany, UpdateOne

from lightflow.core import ids
from lightflow.core.dag_machine import DagDecision, DagFacts
from lightflow.core.graph import DagSpec
from lightflow.core.readiness import Final
from lightflow.core.states import FINAL, State
from lightflow.runtime import expecting, moves
from lightflow.runtime.batches import Batches, Turns
from lightflow.runtime.creation import create_tasks, new_tasks
from lightflow.runtime.expecting import MARK, Expecting
from lightflow.runtime.marks import with_marked
from lightflow.runtime.mongo import NOW, Database, Document

OPEN_AT_ONCE = 1_000
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


@dataclass(frozen=True, slots=True)
class Remains:
    """Whether a task of a DAG run is not final, and where none is, tasks that are marked."""

    is_open: bool
    marked: frozenset[int]


class Store:
    """What a dag-runner reads and writes; what looks ask for at the same time goes in one command."""

    def __init__(self, db: Database, worker: str, turns: Turns) -> None:
        self._db = db
        self._dag_runs = db["dag_runs"]
        self._task_runs = db["task_runs"]
        self._begun_by = {"worker": {"$literal": worker}, "pid": os.getpid()}
        self._loads = Batches(self._load_several, turns)
        self._creations = Batches(self._create_several, turns)
        self._moves = Batches(self._move_several, turns)
        self._applications = Batches(self._apply_several, turns)
        self._counts = Batches(self._remains_of_several, turns)
        self._looks = Batches(self._looked_at_several, turns)

    async def load(self, dag_run: str) -> DagRun | None:
        """A DAG run and its fresh tasks; None when there is none of this id."""
        return await self._loads.one(dag_run)

    async def _load_several(self, dag_runs: Sequence[str]) -> list[DagRun | None]:
        shown = "index state selected error task"
        found = await with_marked(self._db, "dag_runs", "task_runs", "dag_run", dag_runs, shown)
        return [_loaded(*each) for each in found]

    async def run_queue(self, dag_run: str) -> str | None:
        """The queue of the run that a DAG run is for which there are tasks, be it there or not; None without tasks."""
        if await self._task_runs.find_one({"dag_run": dag_run}, {"_id": 1}) is None:
            return None
        run = await self._db["runs"].find_one({"_id": ids.run_of(dag_run)}, {"queue": 1})
        return None if run is None else str(run["queue"])

    async def ends(self, dag_run: str, indexes: Iterable[int]) -> dict[int, Final]:
        """Those of the tasks at these indexes that have ended."""
        wanted = {"_id": {"$in": [ids.task_run_id(dag_run, index) for index in indexes]}}
        found = self._task_runs.find(wanted, {"index": 1, "state": 1, "selected": 1})
        return {task["index"]: _final(task) async for task in found if State(task["state"]) in FINAL}

    async def create_tasks(self, dag_run: DagRun, dag: DagSpec, queue: Iterable[int]) -> None:
        """Insert the tasks that do not exist yet, some of them queued, the others waiting."""
        if dag.tasks:
            await self._creations.one(list(new_tasks(dag_run.document, dag, frozenset(queue))))

    async def _create_several(self, creations: Sequence[list[Document]]) -> list[None]:
        await create_tasks(self._task_runs, (task for tasks in creations for task in tasks))
        return [None] * len(creations)

    async def become(self, dag_run: DagRun, seen: DagFacts, decision: DagDecision) -> bool:
        """Make the decided move from the state and reason that were seen; False when they are no longer those.

        What the scheduler must see of it is marked in the same update, and a look that begins the DAG run ends by it.
        """
        assert decision.become is not None, "a decision without a move has nothing to save"
        mark = ids.new_id()
        change: Document = {"state": decision.become.value, "changed_at": NOW, MARK: mark}
        if decision.become is State.RUNNING:
            change |= {"started_at": NOW, **self._begun_by}
        if decision.begins and "dirty" in dag_run.document:
            change["dirty"] = {"$cond": [{"$eq": ["$dirty", dag_run.document["dirty"]]}, "$$REMOVE", "$dirty"]}
        if decision.reason is not None:
            change["reason"] = decision.reason.value
        if dag_run.errors:
            change["error"] = {"$ifNull": ["$error", {"$literal": self._error(dag_run)}]}
        if decision.become in FINAL or decision.become is State.STOPPING:
            change["marked"] = True
        if decision.become in FINAL:
            change["finished_at"] = NOW
        expected = {"_id": dag_run.id, "state": seen.state.value, "reason": seen.reason and seen.reason.value}
        return await self._moves.one(Expecting(dag_run.id, mark, UpdateOne(expected, [{"$set": change}])))

    async def _move_several(self, updates: Sequence[Expecting]) -> list[bool]:
        done = await self._dag_runs.bulk_write([each.update for each in updates], ordered=False)
        return await expecting.made(self._dag_runs, updates, done.matched_count)

    async def apply(self, dag_run: str, decision: DagDecision) -> bool:
        """Move the tasks as decided, then clear the marks, in one command whose steps keep that order.

        Whether it is certain that each of them was moved by this.
        """
        queue = () if decision.create_tasks else decision.queue
        steps = moves.follow(dag_run, queue, decision.skip, decision.propagated)
        most: float = len(queue) + len(decision.skip) + len(decision.propagated)
        if decision.stop_open:
            steps, most = [moves.stop_open(dag_run), *steps], math.inf
        return not steps or await self._applications.one((steps, most))

    async def _apply_several(self, applications: Sequence[tuple[list[UpdateMany], float]]) -> list[bool]:
        """The server tells how many tasks were found in all: each was, if that is the most that there can be."""
        every = [step for steps, _ in applications for step in steps]
        found = (await self._task_runs.bulk_write(every, ordered=True)).matched_count
        return [found == sum(most for _, most in applications)] * len(applications)

    async def remains(self, dag_run: str, marks: int) -> Remains:
        """Whether a task of the DAG run is not final; if none is, up to so many that are marked, read after that."""
        return await self._counts.one((dag_run, marks))

    async def _remains_of_several(self, asked: Sequence[tuple[str, int]]) -> list[Remains]:
        wanted = {"dag_run": {"$in": [dag_run for dag_run, _ in asked]}, "state": {"$in": OPEN}}
        most = OPEN_AT_ONCE if len(asked) > 1 else 1
        found = await self._task_runs.find(wanted, {"_id": 0, "dag_run": 1}).limit(most).to_list()
        is_open = {task["dag_run"] for task in found}
        marked = await self._marked([each for each in asked if each[0] not in is_open])
        if len(asked) > 1 and (len(found) == most or marked is None):
            # What there is of one may hide what there is of another.
            return [(await self._remains_of_several([each]))[0] for each in asked]
        return [Remains(dag_run in is_open, frozenset((marked or {}).get(dag_run, ()))) for dag_run, _ in asked]

    async def _marked(self, asked: Sequence[tuple[str, int]]) -> dict[str, set[int]] | None:
        """The marked tasks of these DAG runs; None if there are more than asked for, and not of one alone."""
        marked: dict[str, set[int]] = {dag_run: set() for dag_run, _ in asked}
        most = sum(marks for _, marks in asked)
        if asked:
            wanted = {"dag_run": {"$in": list(marked)}, "marked": True}
            found = await self._task_runs.find(wanted, {"dag_run": 1, "index": 1}).limit(most).to_list()
            for task in found:
                marked[task["dag_run"]].add(task["index"])
            if len(found) == most and len(asked) > 1:
                return None
        return marked

    async def looked_at(self, dag_run: DagRun) -> None:
        """Clear the mark that made this look due, unless something was written since."""
        await self._looks.one({"_id": dag_run.id, "dirty": dag_run.document["dirty"]})

    async def _looked_at_several(self, seen: Sequence[Document]) -> list[None]:
        await self._dag_runs.bulk_write([UpdateOne(each, {"$unset": {"dirty": ""}}) for each in seen], ordered=False)
        return [None] * len(seen)

    @staticmethod
    def _error(dag_run: DagRun) -> Document:
        worst = max(dag_run.errors, key=lambda task: task["state"] == State.FAILED)
        cause = worst.get("error") or {"type": "AbortWorkflow", "message": "", "traceback": ""}
        return {**cause, "task": worst["task"], "dag": dag_run.document["name"]}


def _loaded(document: Document | None, tasks: Sequence[Document]) -> DagRun | None:
    if document is None:
        return None
    errors = tuple(task for task in tasks if task["state"] in (State.ABORTED, State.FAILED))
    return DagRun(document, {task["index"]: _final(task) for task in tasks}, errors)


def _final(task: Document) -> Final:
    selected = task.get("selected")
    return Final(State(task["state"]), None if selected is None else tuple(selected))
