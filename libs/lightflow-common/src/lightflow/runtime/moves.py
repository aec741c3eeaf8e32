"""The moves of tasks that follow from others' ends, as updates: by a dag-runner, or by a worker that hands over."""

from collections.abc import Iterable, Sequence
from typing import Any

from pymongo import UpdateMany

from lightflow.core import ids
from lightflow.core.states import TASK, State
from lightflow.runtime.mongo import NOW, Document

IDS_PER_FILTER = 10_000


def stop_open(dag_run: str) -> UpdateMany:
    """Stop every task of the DAG run that waits or is queued."""
    return _move({"dag_run": dag_run}, State.STOPPED, finished_at=NOW)


def follow(dag_run: str, queue: Sequence[int], skip: Sequence[int], propagated: Sequence[int]) -> list[UpdateMany]:
    """Skip and queue these tasks where they wait, then clear the marks of those from whose ends it follows.

    The order is what makes it safe to break off: a task may run because one before it was skipped, and as long as a
    mark is there, the rest is found again.
    """
    steps = [_move(few, State.SKIPPED, finished_at=NOW) for few in _by_id(dag_run, skip)]
    steps += [_move(few, State.QUEUED, ready_at=NOW) for few in _by_id(dag_run, queue)]
    steps += [UpdateMany(few, {"$unset": {"marked": ""}}) for few in _by_id(dag_run, propagated)]
    return steps


def _move(which: Document, target: State, **more: Any) -> UpdateMany:
    """The update of tasks to this state, from the states that allow it; what a worker holds is the worker's to move."""
    sources = [source.value for source in TASK.sources(target) if source is not State.RUNNING]
    change = {"state": target.value, "changed_at": NOW, **more}
    return UpdateMany({**which, "state": {"$in": sources}}, [{"$set": change}])


def _by_id(dag_run: str, indexes: Iterable[int]) -> list[Document]:
    """Filters for these tasks, none of them too long for one message."""
    every = [ids.task_run_id(dag_run, index) for index in indexes]
    return [{"_id": {"$in": every[at : at + IDS_PER_FILTER]}} for at in range(0, len(every), IDS_PER_FILTER)]
