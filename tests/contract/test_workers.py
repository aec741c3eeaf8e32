import pytest

from lightflow.core.errors import WorkerUnknown
from lightflow.runtime.rpc.targets import registered_targets
from lightflow_scheduler import registry


async def test_only_living_workers_are_listed_by_queue_and_page(system):
    for number in range(5):
        await system.add_worker(f"w{number}", queues=("task", "gpu") if number % 2 else ("task",))
    await system.add_worker("gone")
    system.dead.add("gone")
    assert [worker.id for worker in await system.call("list_workers", page_size=2)] == [f"w{n}" for n in range(5)]
    assert [worker.id for worker in await system.call("list_workers", queues=["gpu", "x"])] == ["w1", "w3"]


async def test_workers_are_asked_to_stop(system):
    await system.add_worker("w1")
    await system.add_worker("w2")
    async with system.notifier.subscribe("worker") as looks:
        stopped = await system.call("stop_workers", ["w1"])
        assert [(worker.id, worker.draining) for worker in stopped] == [("w1", True)]
        assert any(look.missed or look.ids == {"worker": "w1"} for look in await looks.wait(2))
    assert [worker["_id"] async for worker in system.db["workers"].find({"stop": True})] == ["w1"]
    assert len(await system.call("stop_workers")) == 2


async def test_an_unknown_worker_is_named_and_none_is_stopped(system):
    await system.add_worker("w1")
    with pytest.raises(WorkerUnknown, match="w9"):
        await system.call("stop_workers", ["w1", "w9"])
    assert await system.db["workers"].count_documents({"stop": True}) == 0


async def test_addresses_are_registered_until_their_process_leaves_or_is_gone(system):
    await system.add_worker("s1", "scheduler")
    await system.add_worker("s2", "scheduler")
    await registry.register(system.db, ["unix:/tmp/a", "127.0.0.1:1"], "s1")
    await registry.register(system.db, ["unix:/tmp/b"], "s2")
    assert (await registered_targets(system.db))[0] == "unix:/tmp/b"
    await system.db["workers"].update_one({"_id": "s2"}, {"$set": {"dead": True}})
    assert (await registered_targets(system.db))[-1] == "unix:/tmp/b"
    await registry.unregister(system.db, "s2")
    assert sorted(await registered_targets(system.db)) == ["127.0.0.1:1", "unix:/tmp/a"]
    await system.db["workers"].delete_one({"_id": "s1"})
    await registry.register(system.db, ["unix:/tmp/c"], "s3")
    assert await registered_targets(system.db) == ["unix:/tmp/c"]
