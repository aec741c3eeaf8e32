"""Nothing grows for ever: what ended runs leave is removed in time, or when somebody asks."""

from datetime import timedelta

from bson import encode

EVERYTHING = ("runs", "dag_runs", "task_runs", "logs", "workflow-data", "blobs.files", "blobs.chunks")


async def ended_run(system):
    """A run that ended, with a task whose output, log and data are kept."""
    run_id = await system.began()
    await system.payloads.save(b"x" * 100_000, run_id)
    await system.store.set(run_id, "kept", encode({"v": 1}), "data", f"{run_id}/1")
    await system.db["logs"].insert_one({"run": run_id, "text": b"hello"})
    await system.set_run(run_id, state="succeeded")
    await system.db["runs"].update_one({"_id": run_id}, {"$unset": {"dirty": ""}})
    return run_id


async def past(system, run_id):
    """Wait until the server's clock has left the moment in which the run ended."""

    async def is_past():
        ended = {"_id": run_id, "$expr": {"$lt": ["$finished_at", "$$NOW"]}}
        return await system.db["runs"].count_documents(ended)

    await system.until(is_past)


async def left_of(system, run_id):
    """How many documents speak of a run, by collection."""
    speaks = {"$or": [{"_id": run_id}, {"run": run_id}, {"metadata.scope": run_id}]}
    counts = {name: await system.db[name].count_documents(speaks) for name in EVERYTHING}
    return {name: count for name, count in counts.items() if count}


async def test_what_ended_long_enough_ago_is_removed_with_all_that_belongs_to_it(system):
    await system.deploy()
    run_id = await ended_run(system)
    assert set(await left_of(system, run_id)) == {*EVERYTHING} - {"blobs.chunks"}
    await past(system, run_id)
    pruned = await system.call("prune", timedelta(0))
    assert pruned.runs == 1
    assert await left_of(system, run_id) == {}
    assert await system.db["blobs.chunks"].count_documents({}) == 0


async def test_what_ended_a_moment_ago_and_what_goes_on_are_kept(system):
    await system.deploy()
    ended, open_ = await ended_run(system), await system.start()
    assert (await system.call("prune")).runs == 0
    assert (await system.call("prune", timedelta(hours=1))).runs == 0
    assert await left_of(system, ended)
    await past(system, ended)
    await system.call("prune", timedelta(0))
    assert await left_of(system, open_)


async def test_a_version_goes_with_the_last_run_that_had_it_unless_it_is_deployed(system):
    await system.deploy()
    await system.db["workflows"].update_one({"_id": "v1"}, {"$currentDate": {"loaded_at": True}})
    run_id = await ended_run(system)
    await past(system, run_id)
    pruned = await system.call("prune", timedelta(0))
    assert (pruned.runs, pruned.versions) == (1, 0)
    await system.call("undeploy_workflow", "simple")
    assert (await system.call("prune", timedelta(0))).versions == 1
    assert await system.db["workflows"].count_documents({}) == 0
