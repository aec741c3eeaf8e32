"""Nothing grows for ever: once runs are no longer kept, what they left is gone from everywhere."""

from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

from tests.e2e.support import write_workflow
from tests.limits.support import PATIENCE, servers_of, size, until

from lightflow.client import Client
from lightflow.local.stack import Stack

AT_ONCE = 50
FLOW = """
    import os

    def leave(data, store, signal, context):
        print("a line of the log")
        data["small"], data["large"] = 1, os.urandom(100_000)
        store.set("value", 1)
        store.set("value", os.urandom(100_000))
        store.push("list", context.task_name)
        if context.task_name == "first":
            signal.join_dags([signal.start_dag("sub", data=data)])

    first, second = PythonTask("first", leave), PythonTask("second", leave)
    main = Dag("main", schema={first: second})
    sub = Dag("sub", autostart=False, schema={PythonTask("below", leave): None})
"""


def run_all(client: Client, count: int, file: Path) -> None:
    """Run so many, some of them from a file that was sent, and some with data that is kept."""
    for first in range(0, count, AT_ONCE):
        started = [
            client._run(client._control.start_run("leaving", encoded={}, keep_data=number % 2 == 0).run)
            for number in range(first, min(first + AT_ONCE, count) - 2)
        ]
        started += [client.start("leaving-file"), client.start(file)]
        assert {run.wait(PATIENCE) for run in started} == {"succeeded"}


def prune(client: Client, db: Any) -> None:
    """Remove what every run left."""

    def is_pruned() -> bool:
        client._control.prune(timedelta(0))
        return not db["runs"].count_documents({})

    until(is_pruned, PATIENCE, lambda: list(db["runs"].find({}, {"state": 1, "dirty": 1})))


def kept(db: Any, redis: Any) -> Counter[str]:
    """How many documents and keys there are, without the documents that MongoDB removes by itself after some time."""
    counts: Counter[str] = Counter(redis=redis.dbsize())
    for name in db.list_collection_names():
        indexes = db[name].index_information().values()
        expiring = [index["key"][0][0] for index in indexes if "expireAfterSeconds" in index]
        stays = {"$nor": [{field: {"$type": "date"}} for field in expiring]} if expiring else {}
        counts[name] = db[name].count_documents(stays)
    return counts


def files(folder: Path) -> set[Path]:
    """The files of the data dir, but for those that the servers keep their own books in."""
    books = {folder / "mongod", folder / "redis"}
    return {file for file in folder.rglob("*") if file.is_file() and books.isdisjoint(file.parents)}


def test_after_many_runs_and_their_retention_everything_is_as_small_as_before(
    stack: Stack, client: Client, flows: Path, tmp_path: Path
) -> None:
    for name in ("leaving", "leaving-file"):
        write_workflow(flows, name, FLOW)
    client._control.deploy_workflow("leaving")
    sent = write_workflow(tmp_path, "sent", FLOW)
    with servers_of(stack) as (db, redis):
        run_all(client, 5, sent)  # what is made once is there from now on
        prune(client, db)
        before, files_before = kept(db, redis), files(stack.data_dir)
        run_all(client, size(60, 10_000), sent)
        assert kept(db, redis) - before
        prune(client, db)
        until(lambda: not kept(db, redis) - before, what=lambda: kept(db, redis) - before)
    assert files(stack.data_dir) == files_before
