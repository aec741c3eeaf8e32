"""What a system that has nothing more to do must not have: leases without workers, blobs without owners, and so on."""

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

from pymongo.errors import PyMongoError
from tests.chaos.due import owed
from tests.chaos.faults.hints import LISTS
from tests.chaos.system import SERVICES, System, is_of

from lightflow.core.errors import LightflowException
from lightflow.runtime.queues import MARKER

KNOWN_KEYS = (MARKER, "_kombu.binding", "unacked", *LISTS)


def leftovers(system: System) -> list[str]:
    """What is left once all runs have ended, and after they were pruned; both are given time to settle."""
    left = _settled(system, lambda: [*_work(system), *_workers(system), *_redis(system)])
    return left or _settled(system, lambda: _pruned(system))


def _settled(system: System, look: Callable[[], list[str]]) -> list[str]:
    deadline = time.monotonic() + system.times.patience
    left = ["MongoDB did not answer"]
    while left and time.monotonic() < deadline:
        with suppress(PyMongoError, LightflowException):
            if not (left := look()):
                break
        time.sleep(0.2)
    return left


def _work(system: System) -> Iterator[str]:
    for what, name, _ in sorted(owed(system.db)):
        yield f"{name} still waits: {what}"
    for task in system.db["task_runs"].find({"holder": {"$ne": None}}, {"holder": 1, "state": 1}):
        yield f"{task['_id']}, {task['state']}, is still held by {task['holder']}"


def _workers(system: System) -> Iterator[str]:
    pids = {system.pid(f"{service}{number}") for service in SERVICES for number in ("", "-2")}
    for worker in system.db["workers"].find():
        if worker["pid"] not in pids or worker["running"]:
            yield f"worker {worker['name']} (pid {worker['pid']}, running {worker['running']}) is in the list"
    if (count := system.db["workers"].count_documents({})) < len(pids):
        yield f"only {count} workers of {len(pids)} are in the list"


def _redis(system: System) -> Iterator[str]:
    with system.redis() as redis:
        for key in redis.scan_iter():
            if not key.decode().startswith(KNOWN_KEYS):
                yield f"redis has a key {key!r}"
        for name in LISTS:
            if length := redis.llen(name):
                yield f"{length} hints wait in {name}"


def _pruned(system: System) -> list[str]:
    with system.control(0) as control:
        control.prune(timedelta(0))
    left = [f"{name} has {count} documents after all was pruned" for name, count in _counts(system.db) if count]
    blobs = system.db["blobs.files"].distinct("metadata.scope", {"metadata.scope": {"$not": {"$regex": "^version:"}}})
    files = [file["_id"] for file in system.db["blobs.files"].find({}, {"_id": 1})]
    chunks = system.db["blobs.chunks"].count_documents({"files_id": {"$nin": files}})
    return left + [f"a blob of {scope} is left" for scope in blobs] + ([f"{chunks} chunks are left"] if chunks else [])


def _counts(db: Any) -> Iterator[tuple[str, int]]:
    for name in ("runs", "dag_runs", "task_runs", "logs"):
        yield name, db[name].count_documents({})
    yield "workflow-data", db["workflow-data"].count_documents({"freed": {"$exists": False}})


def processes(mark: bytes) -> list[str]:
    """The processes of a system that still live."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/environ"):
        with suppress(OSError):
            if is_of(int(entry.parent.name), mark):
                found.append(f"process {entry.parent.name}: {(entry.parent / 'cmdline').read_bytes()!r}")
    return found
