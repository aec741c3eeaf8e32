"""Questions in `loads` are answered, and the versions that come of them can be run."""

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from shutil import rmtree

import pytest
from pymongo import AsyncMongoClient
from pymongo.errors import AutoReconnect
from redis.asyncio import Redis

from lightflow.core.errors import PayloadForged, WorkflowUnknown
from lightflow.core.graph import WorkflowSpec
from lightflow.runtime import sources
from lightflow.runtime.notify import Notifier
from lightflow.runtime.payloads import Payloads
from lightflow.runtime.signing import Signer
from lightflow_task_worker import loading
from lightflow_task_worker.loading import Loader, LoadSettings
from lightflow_task_worker.making import Made
from lightflow_task_worker.publishing import publish
from lightflow_task_worker.slot import ChildSettings, Job, Slots
from lightflow_task_worker.versions import Versions

FLOW = '''"""Counts.

At length."""
from lightflow.models import Dag
from lightflow.tasks import PythonTask
import helper

def work(data, store, signal, context):
    print("counted", helper.number)

main = Dag("main", schema={PythonTask("work", work): None})
'''


@pytest.fixture
def folder():
    path = Path(tempfile.mkdtemp(prefix="lf-", dir="/tmp"))
    (path / "flows").mkdir()
    (path / "flows" / "flow.py").write_text(FLOW)
    (path / "flows" / "helper.py").write_text("number = 5\n")
    yield path
    rmtree(path)


@pytest.fixture
async def database(mongo_uri, database_name) -> AsyncIterator:
    client = AsyncMongoClient(mongo_uri, w="majority", journal=True, retryWrites=False, tz_aware=True)
    yield client[database_name]
    await client.drop_database(database_name)
    await client.close()


@pytest.fixture
async def notifier(redis_url) -> AsyncIterator:
    notifier = Notifier(Redis.from_url(redis_url, decode_responses=True))
    await notifier.start()
    yield notifier
    await notifier.close()


@pytest.fixture
def payloads(database):
    return Payloads(database, Signer(b"k" * 32))


@pytest.fixture
async def slots():
    slots = Slots(ChildSettings("tests/loading"))
    yield slots
    await slots.close()


@pytest.fixture
async def loader(database, payloads, notifier, slots, folder):
    settings = LoadSettings([folder / "flows"], [], 5.0, folder / "cache", lambda: "worker")
    loader = Loader(database, payloads, notifier, slots, settings)
    serving = asyncio.create_task(loader.serve())
    yield loader
    serving.cancel()
    await asyncio.wait({serving})


async def ask(database, notifier, kind, **source):
    """The result of a question."""
    question = {"kind": kind, "source": source, "state": "pending", "holder": None, "seen": False}
    async with notifier.subscribe("load") as looks, asyncio.timeout(20):
        load = (await database["loads"].insert_one(question)).inserted_id
        await notifier.publish("load", load=str(load))
        while True:
            document = await database["loads"].find_one({"_id": load, "state": "done"})
            if document is not None:
                assert document["seen"] is True
                return document["result"]
            await looks.wait()


async def test_a_name_becomes_a_version_that_can_be_run(database, payloads, notifier, slots, loader, folder):
    version = (await ask(database, notifier, "load", name="flow"))["version"]
    rmtree(folder / "flows")
    found = await Versions(database, payloads, folder / "cache").get(version)
    assert (found.spec.name, found.spec.docstring.splitlines()[0]) == ("flow", "Counts.")
    shard = await found.shard("main", 0)
    job = Job("t", "r", "flow", version, "main:1", "work", 0, 1, "w", None, shard, found.folder)
    slot, written = await slots.start(), []
    await slot.run(job, None, written.append)
    await slot.close()
    assert b"".join(written) == b"counted 5\n"


async def test_a_file_is_stored_once_until_it_changes(database, notifier, loader, folder):
    versions = [(await ask(database, notifier, "load", name="flow"))["version"] for _ in range(2)]
    assert versions[0] == versions[1]
    (folder / "flows" / "flow.py").write_text(FLOW.replace("counted", "Counted"))
    assert (await ask(database, notifier, "load", name="flow"))["version"] != versions[0]
    assert await database["workflows"].count_documents({}) == 2


async def test_an_upload_becomes_a_version(database, payloads, notifier, loader, folder):
    archive = sources.gather(folder / "flows" / "flow.py")
    field = await payloads.save(archive, "upload:1")
    await database["uploads"].insert_one({"_id": "1", "name": "flow", "archive": field})
    rmtree(folder / "flows")
    version = (await ask(database, notifier, "load", upload="1"))["version"]
    found = await Versions(database, payloads, folder / "cache").get(version)
    assert sorted(os.listdir(found.folder)) == ["flow.py", "helper.py"]


async def test_what_is_wrong_is_answered(database, payloads, notifier, loader, folder):
    (folder / "flows" / "broken.py").write_text("1 / 0\n")
    broken = (await ask(database, notifier, "load", name="broken"))["error"]
    assert (broken["type"], broken["fields"]["line"]) == ("WorkflowImportError", 1)
    unknown = (await ask(database, notifier, "load", name="flaw"))["error"]
    assert unknown["type"] == "WorkflowUnknown"
    assert "did you mean 'flow'" in unknown["message"]
    field = await payloads.save(b"no zip", "upload:2")
    await database["uploads"].insert_one({"_id": "2", "name": "flow", "archive": field})
    assert "no zip" in (await ask(database, notifier, "load", upload="2"))["error"]["message"]
    assert (await ask(database, notifier, "load", upload="3"))["error"]["type"] == "WorkflowUnknown"
    assert "version" in await ask(database, notifier, "load", name="flow")


async def test_a_list_executes_nothing_and_leaves_helpers_out(database, notifier, loader, folder):
    (folder / "flows" / "loud.py").write_text(f"open({str(folder / 'executed')!r}, 'w')\n" + FLOW)
    (folder / "flows" / "broken.py").write_text("from lightflow.models import Dag\ndef f(:\n")
    listed = (await ask(database, notifier, "list"))["workflows"]
    assert [(entry["name"], entry["docstring"].partition("\n")[0]) for entry in listed] == [
        ("broken", ""),
        ("flow", "Counts."),
        ("loud", ""),
    ]
    assert "line 2" in listed[0]["error"]
    assert not (folder / "executed").exists()


async def test_a_question_put_while_another_load_is_at_work_is_seen(database, notifier, loader, folder):
    (folder / "flows" / "slow.py").write_text("import time\ntime.sleep(3)\n")
    async with notifier.subscribe("load") as looks, asyncio.timeout(20):
        first = asyncio.create_task(ask(database, notifier, "load", name="slow"))
        while not await database["loads"].count_documents({"state": "claimed"}):
            await looks.wait(0.05)
        second = asyncio.create_task(ask(database, notifier, "load", name="flow"))
        while not await database["loads"].count_documents({"state": "pending", "seen": True}):
            await looks.wait(0.05)
        assert not first.done()
        assert "error" in await first
        assert "version" in await second


async def test_a_load_that_dies_right_after_another_is_answered_and_the_next_one_is(database, notifier, loader, folder):
    (folder / "flows" / "dies.py").write_text("import os, time\ntime.sleep(0.2)\nos._exit(3)\n")
    first, second = await asyncio.gather(*(ask(database, notifier, "load", name=name) for name in ("flow", "dies")))
    assert "version" in first
    assert "exit code 3" in second["error"]["message"]
    assert (await ask(database, notifier, "load", name="flow")) == first


async def test_loads_that_follow_each_other_leave_no_descriptor_behind(database, notifier, loader):
    async def rounds(count):
        for _ in range(count):
            await asyncio.gather(*(ask(database, notifier, "load", name="flow") for _ in range(2)))
        return len(os.listdir("/proc/self/fd"))

    before = await rounds(3)  # connections that are opened when they are needed
    # Four while the next child is being forked; a child that is forgotten keeps two.
    assert await rounds(15) <= before + 4


async def test_a_version_that_was_removed_is_stored_by_the_next_load(database, notifier, loader):
    version = (await ask(database, notifier, "load", name="flow"))["version"]
    await database["workflows"].delete_one({"_id": version})
    assert (await ask(database, notifier, "load", name="flow"))["version"] == version
    assert await database["workflows"].count_documents({"_id": version}) == 1


async def test_a_version_that_is_removed_while_its_file_is_executed_is_stored(
    database, notifier, loader, folder, monkeypatch
):
    monkeypatch.setattr(loading, "_CONFIRMED", 0.0)
    slow = folder / "slow"
    waits = f"import os, time\nwhile os.path.exists({str(slow)!r}):\n    time.sleep(0.01)\n"
    (folder / "flows" / "flow.py").write_text(FLOW + waits)
    version = (await ask(database, notifier, "load", name="flow"))["version"]
    slow.touch()
    before = await database["workflows"].find_one({"_id": version})
    async with notifier.subscribe("load") as looks, asyncio.timeout(20):
        again = asyncio.create_task(ask(database, notifier, "load", name="flow"))
        while (await database["workflows"].find_one({"_id": version}))["loaded_at"] == before["loaded_at"]:
            await looks.wait(0.01)
        await database["workflows"].delete_one({"_id": version})
        slow.unlink()
        assert (await again)["version"] == version
    assert await database["workflows"].count_documents({"_id": version}) == 1


async def test_a_load_goes_on_where_its_last_version_cannot_be_confirmed(database, notifier, loader, monkeypatch):
    version = (await ask(database, notifier, "load", name="flow"))["version"]
    asked = []

    async def unreachable(_, version):
        asked.append(version)
        raise AutoReconnect("gone")

    monkeypatch.setattr(loading, "is_published", unreachable)
    assert (await ask(database, notifier, "load", name="flow"))["version"] == version
    assert asked == [version]


async def test_two_who_ask_for_a_version_at_once_read_it_once(database, payloads, notifier, loader, folder):
    version = (await ask(database, notifier, "load", name="flow"))["version"]
    versions = Versions(database, payloads, folder / "cache")
    one, other = await asyncio.gather(versions.get(version), versions.get(version))
    assert one is other
    assert await one.shard("main", 0) is await other.shard("main", 0)


async def test_a_folder_that_was_removed_is_extracted_again(database, payloads, notifier, loader, folder):
    version = (await ask(database, notifier, "load", name="flow"))["version"]
    versions = Versions(database, payloads, folder / "cache")
    rmtree((await versions.get(version)).folder)
    assert "flow.py" in os.listdir((await versions.get(version)).folder)


async def test_a_version_that_is_unknown_or_forged_is_refused(database, payloads, notifier, loader, folder):
    versions = Versions(database, payloads, folder / "cache")
    with pytest.raises(WorkflowUnknown):
        await versions.get("nothing")
    version = (await ask(database, notifier, "load", name="flow"))["version"]
    others = Versions(database, Payloads(database, Signer(b"x" * 32)), folder / "cache")
    with pytest.raises(PayloadForged):
        await others.get(version)
    await database["workflows"].update_one({"_id": version}, {"$set": {"shards.0.payload.data": b"evil"}})
    with pytest.raises(PayloadForged):
        await (await versions.get(version)).shard("main", 0)


async def test_more_code_than_a_document_may_hold_fits_into_a_version(database, payloads, folder):
    shards = tuple(("main", 64 * number, 64 * number + 63, b"x" * 60_000) for number in range(300))
    made = Made(WorkflowSpec("large"), b"PK", shards)
    await publish(database, payloads, made)
    document = await database["workflows"].find_one({"_id": made.version})
    assert [await payloads.load(document["shards"][index]["payload"]) for index in (0, -1)] == [b"x" * 60_000] * 2
