"""The meta section of a run: derived from the record of the run whenever it is read, never written by the engine."""

from collections.abc import Iterable, Mapping
from typing import Any

from pymongo.asynchronous.database import AsyncDatabase

from lightflow.runtime.datastore.layout import NOTHING, Parts, assign, pick

SECTION = "meta"
DERIVED = ("name", "queue", "start_time", "log")

RUN = {"workflow": 1, "queue": 1, "started_at": 1}
DAG_RUN = {"name": 1, "started_at": 1, "finished_at": 1}
TASK_RUN = {
    "dag": 1,
    "task": 1,
    "queue": 1,
    "started_at": 1,
    "finished_at": 1,
    "attempts.worker": 1,
    "attempts.started_at": 1,
}

Document = dict[str, Any]


async def derive(database: AsyncDatabase[Document], run_id: str, parts: Parts) -> Any:
    """What the run's record says under a key, NOTHING when that is nothing."""
    if parts[0] not in DERIVED:
        return NOTHING
    run = await database["runs"].find_one({"_id": run_id}, RUN)
    if run is None:
        return NOTHING
    if parts[0] != "log":
        return pick(tree(run, [], []), parts)
    dag_runs = await database["dag_runs"].find({"run": run_id}, DAG_RUN).to_list()
    task_runs = await database["task_runs"].find({"run": run_id, "attempts.0": {"$exists": True}}, TASK_RUN).to_list()
    return pick(tree(run, dag_runs, task_runs), parts)


def tree(run: Mapping[str, Any], dag_runs: Iterable[Document], task_runs: Iterable[Document]) -> dict[str, Any]:
    """The meta section: what has started, in the order in which it did; times in UTC, durations in seconds."""
    meta: dict[str, Any] = {"name": run["workflow"], "queue": run["queue"]}
    if run.get("started_at") is not None:
        meta["start_time"] = run["started_at"]
    for dag_run in sorted((dag_run for dag_run in dag_runs if dag_run.get("started_at")), key=_started):
        assign(meta, ("log", *dag_run["name"].split(".")), _times(dag_run))
    for task in sorted((task for task in task_runs if _started(task)), key=_started):
        entry = {**_times(task), "worker": task["attempts"][-1].get("worker"), "queue": task["queue"]}
        assign(meta, ("log", *task["dag"].split("."), "tasks", *task["task"].split(".")), entry)
    return meta


def _times(record: Mapping[str, Any]) -> Document:
    started, finished = _started(record), record.get("finished_at")
    if finished is None:
        return {"start_time": started}
    return {"start_time": started, "end_time": finished, "duration": (finished - started).total_seconds()}


def _started(record: Mapping[str, Any]) -> Any:
    """When it first started; for a task that is when its first attempt did."""
    attempts = record.get("attempts") or [{}]
    return record.get("started_at") or attempts[0].get("started_at")
