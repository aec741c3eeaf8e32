"""The record: what MongoDB says of the runs, read past the services and turned into plain values."""

import asyncio
import pickle
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.chaos.expected import Result, origin_of, result_of
from tests.chaos.system import System

from lightflow.runtime.datastore.encoding import decode
from lightflow.runtime.datastore.mongo import RunStore
from lightflow.runtime.mongo import connect, database
from lightflow.runtime.payloads import Payloads
from lightflow.runtime.signing import Signer, read_key


@dataclass(frozen=True)
class AttemptRecord:
    """An attempt: what it ended with (None: it has not), and when, by the wall clock."""

    outcome: str | None
    began: float
    ended: float | None
    error: str = ""


@dataclass(frozen=True)
class TaskRecord:
    """A task; `result` is what it handed on, None where it handed on nothing."""

    id: str
    run: str
    dag: str
    name: str
    state: str
    attempts: tuple[AttemptRecord, ...]
    result: Result | None = None
    finished: str = ""


@dataclass(frozen=True)
class RunRecord:
    """A run with the states of its DAG runs, their origins, its tasks, what was pushed to its store, and
    of each DAG run that a task started the key that only this call had.
    """

    id: str
    seed: int
    state: str
    dags: dict[str, str] = field(default_factory=dict)
    origins: dict[str, str | None] = field(default_factory=dict)
    tasks: tuple[TaskRecord, ...] = ()
    pushed: tuple[tuple[str, str, int, int], ...] = ()
    started: tuple[str, ...] = ()
    error: str = ""


def collect(system: System, seeds: dict[str, int]) -> dict[str, RunRecord]:
    """The records of these runs, by id; one that is not there has none."""
    return asyncio.run(_collect(system, seeds))


async def _collect(system: System, seeds: dict[str, int]) -> dict[str, RunRecord]:
    client = connect(system.config, "auditor")
    try:
        db = database(client, system.config)
        payloads = Payloads(db, Signer(read_key(Path(system.config.engine["signing_key_file"]))))
        store = RunStore(db, payloads)
        runs = [run async for run in db["runs"].find({"_id": {"$in": list(seeds)}})]
        return {run["_id"]: await _run(db, payloads, store, run, seeds[run["_id"]]) for run in runs}
    finally:
        await client.close()


async def _run(db: Any, payloads: Payloads, store: RunStore, run: dict[str, Any], seed: int) -> RunRecord:
    dags = [dag async for dag in db["dag_runs"].find({"run": run["_id"]})]
    tasks = [task async for task in db["task_runs"].find({"run": run["_id"]})]
    outputs = {task["_id"]: pickle.loads(await payloads.load(task["output"])) for task in tasks if task.get("output")}
    pushed = await store.get(run["_id"], "pushed")
    return RunRecord(
        id=run["_id"],
        seed=seed,
        state=run["state"],
        dags={dag["name"]: dag["state"] for dag in dags},
        origins={dag["name"]: _origin(dag["name"], tasks, outputs) for dag in dags},
        tasks=tuple(_task(task, outputs.get(task["_id"])) for task in tasks),
        pushed=tuple(tuple(item) for item in (decode(pushed) if pushed else ())),
        started=tuple(key for dag in dags if (key := _first(dag["name"], tasks, outputs).get("key"))),
        error=str(run.get("error") or ""),
    )


def _origin(dag: str, tasks: Iterable[dict[str, Any]], outputs: dict[str, Any]) -> str | None:
    own = {task["task"]: outputs[task["_id"]] for task in tasks if task["dag"] == dag and task["_id"] in outputs}
    return origin_of(dag, own)


def _first(dag: str, tasks: Iterable[dict[str, Any]], outputs: dict[str, Any]) -> Any:
    """What the first task of a DAG run that a task started handed on, as far as there is such a one."""
    return next(
        (outputs[t["_id"]] for t in tasks if (t["dag"], t["task"]) == (dag, "first") and t["_id"] in outputs), {}
    )


def _task(task: dict[str, Any], output: Any) -> TaskRecord:
    attempts = (
        AttemptRecord(each["outcome"], each["started_at"].timestamp(), _time(each.get("finished_at")), _error(each))
        for each in task["attempts"]
    )
    names = (task["_id"], task["run"], task["dag"], task["task"], task["state"])
    return TaskRecord(*names, tuple(attempts), result_of(output), str(task.get("finished_at")))


def _error(attempt: dict[str, Any]) -> str:
    return str((attempt.get("error") or {}).get("message", ""))


def _time(moment: Any) -> float | None:
    return moment.timestamp() if moment else None
