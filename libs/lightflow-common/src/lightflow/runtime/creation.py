"""The tasks of a DAG run as they begin to exist: with it where they are few, else when a dag-runner looks at it."""

from collections.abc import Iterable, Iterator, Sequence, Set

from pymongo.errors import BulkWriteError

from lightflow.core import ids
from lightflow.core.graph import DagSpec
from lightflow.core.states import State
from lightflow.runtime.mongo import SCHEMA, Collection, Document, check_duplicates


def new_tasks(dag_run: Document, dag: DagSpec, queue: Set[int]) -> Iterator[Document]:
    """The documents of all tasks of a DAG run, those in `queue` queued as of its `now`, the others waiting."""
    common = {
        "schema": SCHEMA,
        "run": dag_run["run"],
        "dag_run": dag_run["_id"],
        "dag": dag_run["name"],
        "dag_queue": dag_run["queue"],
        "version": dag_run["version"],
        "python": dag_run["python"],
        "attempts": [],
        "errors": 0,
        "deaths": 0,
        "losses": 0,
    }
    waiting = {"state": State.WAITING.value}
    queued = {"state": State.QUEUED.value, "ready_at": dag_run["now"], "changed_at": dag_run["now"]}
    for index, task in enumerate(dag.tasks):
        yield {
            "_id": ids.task_run_id(dag_run["_id"], index),
            "index": index,
            "task": task.name,
            "queue": task.queue,
            **common,
            **(queued if index in queue else waiting),
        }


async def create_tasks(task_runs: Collection, tasks: Iterable[Document]) -> None:
    """Insert the tasks that do not exist yet.

    Those that wait come first: whoever runs one that is queued must find what follows it.
    """
    ordered = sorted(tasks, key=_is_queued)
    try:
        await task_runs.insert_many(ordered, ordered=True)
    except BulkWriteError as error:
        check_duplicates(error)
        await _create_missing(task_runs, [task for task in ordered if not _is_queued(task)])
        await _create_missing(task_runs, [task for task in ordered if _is_queued(task)])


async def _create_missing(task_runs: Collection, tasks: Sequence[Document]) -> None:
    try:
        if tasks:
            await task_runs.insert_many(tasks, ordered=False)
    except BulkWriteError as error:
        check_duplicates(error)


def _is_queued(task: Document) -> bool:
    return "ready_at" in task
