import asyncio
from contextlib import asynccontextmanager

import bson
import grpc
import pytest

from lightflow.control.v1 import control_pb2 as pb
from lightflow.control.v1 import control_pb2_grpc
from lightflow.core.errors import DagNameUnknown, InvalidRequest, JoinImpossible
from lightflow.core.ids import dag_run_id
from lightflow.runtime.rpc.async_client import AsyncControlClient


@pytest.fixture
async def tasks(system):
    """The client of a task worker."""

    async def targets():
        return [system.target]

    async with AsyncControlClient(targets) as client:
        yield client


@asynccontextmanager
async def during(coroutine):
    """Runs beside the block, which may make it end; it must have ended well soon after the block."""
    running = asyncio.create_task(coroutine)
    try:
        yield running
        await asyncio.wait_for(running, 5)
    finally:
        running.cancel()


async def joined(system, run_id):
    async def recorded():
        return (await system.run(run_id)).get("joins")

    await system.until(recorded)


async def test_each_start_of_a_dag_gets_the_next_number(system, tasks):
    await system.deploy()
    run_id = await system.began()
    names = await asyncio.gather(*(tasks.start_dag(run_id, "sub", request_id=f"r{n}") for n in range(10)))
    assert sorted(names) == sorted(f"sub:{n}" for n in range(1, 11))
    assert await tasks.start_dag(run_id, "main", request_id="other") == "main:2"


async def test_a_repeated_start_of_a_dag_starts_nothing_twice(system, tasks):
    await system.deploy()
    run_id = await system.began()
    names = await asyncio.gather(*(tasks.start_dag(run_id, "sub", request_id="$same") for _ in range(5)))
    assert set(names) == {"sub:1"}
    assert len((await system.run(run_id))["starts"]) == 2


async def test_the_data_of_a_start_is_saved_before_the_start_counts(system, tasks):
    await system.deploy()
    run_id = await system.began()
    await tasks.start_dag(run_id, "sub", request_id="r", data=b"pickle" * 100_000)
    start = (await system.run(run_id))["starts"][1]
    assert await system.payloads.load(start["data"]) == b"pickle" * 100_000
    assert (start["created"], start["final"], start["n"], start["request"]) == (False, False, 1, "r")


async def test_the_data_of_many_starts_does_not_fill_the_document_of_their_run(system, tasks):
    await system.deploy()
    run_id = await system.began()
    for number in range(5):
        await tasks.start_dag(run_id, "sub", request_id=f"r{number}", data=b"pickle" * 10_000)
    run = await system.run(run_id)
    assert len(bson.encode(run)) < 10_000
    assert {await system.payloads.load(start["data"]) for start in run["starts"][1:]} == {b"pickle" * 10_000}


async def test_an_unknown_dag_is_named_with_the_nearest_and_a_stopping_run_starts_none(system, tasks):
    await system.deploy()
    run_id = await system.began()
    with pytest.raises(DagNameUnknown, match="sub"):
        await tasks.start_dag(run_id, "subb", request_id="r")
    await tasks.stop_run(run_id)
    assert await tasks.start_dag(run_id, "sub", request_id="r2") is None


async def test_a_join_returns_when_the_last_dag_run_is_final(system, tasks):
    await system.deploy()
    run_id = await system.began()
    for number in (1, 2):
        await tasks.start_dag(run_id, "sub", request_id=f"r{number}")
        await system.add_dag_run(run_id, f"sub:{number}")
    names = ["sub:1", "sub:2", "unknown:7"]
    async with during(tasks.join_dags(run_id, names, caller="main:1", request_id="j")) as join:
        await joined(system, run_id)
        await system.set_dag_run(run_id, "sub:1", state="succeeded")
        assert not join.done()
        await system.set_dag_run(run_id, "sub:2", state="stopped")
    assert (await system.run(run_id))["joins"] == []


async def test_a_join_of_all_waits_for_every_dag_run_but_the_callers(system, tasks):
    await system.deploy()
    run_id = await system.began()
    await tasks.start_dag(run_id, "sub", request_id="r")
    async with during(tasks.join_dags(run_id, None, caller="main:1", request_id="j")):
        await joined(system, run_id)
        await system.add_dag_run(run_id, "sub:1", state="succeeded")


async def test_joining_oneself_or_in_a_circle_is_an_error_at_once(system, tasks):
    await system.deploy()
    run_id = await system.began()
    await tasks.start_dag(run_id, "sub", request_id="r")
    with pytest.raises(JoinImpossible, match="itself"):
        await tasks.join_dags(run_id, ["main:1"], caller="main:1", request_id="j0")
    async with during(tasks.join_dags(run_id, ["sub:1"], caller="main:1", request_id="j1")):
        await joined(system, run_id)
        with pytest.raises(JoinImpossible, match="sub:1 -> main:1 -> sub:1"):
            await tasks.join_dags(run_id, ["main:1"], caller="sub:1", request_id="j2")
        await system.add_dag_run(run_id, "sub:1", state="succeeded")


async def test_a_join_whose_attempt_is_over_waits_for_nobody(system, tasks):
    await system.deploy()
    run_id = await system.began()
    await tasks.start_dag(run_id, "sub", request_id="r")
    await system.add_dag_run(run_id, "sub:1")
    task = f"{dag_run_id(run_id, 'sub:1')}/0"
    left = {"request": f"{task}/1/4", "caller": "sub:1", "names": ["main:1"]}
    await system.db["runs"].update_one({"_id": run_id}, {"$set": {"joins": [left]}})
    await system.db["task_runs"].update_one({"_id": task}, {"$set": {"state": "running", "attempts": [{}, {}]}})
    join = {"caller": "main:1", "request_id": f"{dag_run_id(run_id, 'main:1')}/0/1/1"}
    async with during(tasks.join_dags(run_id, ["sub:1"], **join)):

        async def waits():
            return len((await system.run(run_id))["joins"]) == 2

        await system.until(waits)
        await system.add_dag_run(run_id, "sub:1", state="succeeded")
    await system.add_dag_run(run_id, "sub:1")
    await system.db["task_runs"].update_one({"_id": task}, {"$set": {"state": "running", "attempts": [{}]}})
    with pytest.raises(JoinImpossible, match="sub:1 -> main:1"):
        await tasks.join_dags(run_id, ["sub:1"], **join)


async def test_a_join_takes_the_place_of_those_of_the_same_task_alone(system, tasks):
    await system.deploy()
    run_id = await system.began()
    await tasks.start_dag(run_id, "sub", request_id="r")
    of_task = dag_run_id(run_id, "main:1")
    others = [{"request": f"{of_task}/{number}", "caller": "main:1", "names": []} for number in ("1/1/1", "10/1/1")]
    await system.db["runs"].update_one({"_id": run_id}, {"$set": {"joins": others}})
    async with during(tasks.join_dags(run_id, ["sub:1"], caller="main:1", request_id=f"{of_task}/1/2/1")):

        async def waits():
            return [join["request"] for join in (await system.run(run_id))["joins"]]

        async def is_recorded():
            return f"{of_task}/1/2/1" in await waits()

        await system.until(is_recorded)
        assert await waits() == [f"{of_task}/10/1/1", f"{of_task}/1/2/1"]
        await system.add_dag_run(run_id, "sub:1", state="succeeded")


async def test_a_join_that_is_given_up_is_forgotten(system, tasks):
    await system.deploy()
    run_id = await system.began()
    await tasks.start_dag(run_id, "sub", request_id="r")
    join = asyncio.create_task(tasks.join_dags(run_id, ["sub:1"], caller="main:1", request_id="j"))
    await joined(system, run_id)
    join.cancel()

    async def forgotten():
        return not (await system.run(run_id))["joins"]

    await system.until(forgotten)


async def test_a_stop_of_a_dag_marks_it_and_hints_at_its_runner(system, tasks):
    await system.deploy()
    run_id = await system.began()
    await tasks.stop_dag(run_id, "main:1")
    dag_run = await system.db["dag_runs"].find_one({"_id": dag_run_id(run_id, "main:1")})
    assert dag_run["stop"] == "stopped"
    assert dag_run["dirty"]
    assert system.hints.sent == [("dag-runner", "dag", dag_run["_id"])]
    with pytest.raises(InvalidRequest, match="main:1"):
        await tasks.stop_dag(run_id, "main:9")


async def test_a_dag_that_is_stopped_before_it_exists_is_stopped_when_it_does(system, tasks):
    await system.deploy()
    run_id = await system.began()
    await tasks.start_dag(run_id, "sub", request_id="r")
    system.looks.clear()

    async def looked():
        await asyncio.sleep(0)
        return system.looks

    async with during(tasks.stop_dag(run_id, "sub:1")):
        await system.until(looked)
        await system.add_dag_run(run_id, "sub:1")
    assert (await system.db["dag_runs"].find_one({"_id": dag_run_id(run_id, "sub:1")}))["stop"] == "stopped"


async def test_a_watcher_learns_of_a_stop(system, tasks):
    await system.deploy()
    run_id = await system.began()
    told = tasks.watch_stop(run_id, "main:1")
    assert await anext(told) is False
    await tasks.stop_dag(run_id, "main:1")
    async with asyncio.timeout(2):
        assert await anext(told) is True
        assert [stopping async for stopping in told] == []
    assert [stopping async for stopping in tasks.watch_stop(run_id, "main:1")] == [True]
    other = tasks.watch_stop(run_id)
    assert await anext(other) is False
    await tasks.stop_run(run_id)
    async with asyncio.timeout(2):
        assert await anext(other) is True


async def test_the_data_of_a_dag_must_be_a_pickle(system):
    await system.deploy()
    run_id = await system.began()
    async with grpc.aio.insecure_channel(system.target) as channel:
        stub = control_pb2_grpc.ControlServiceStub(channel)
        value = pb.Value(encoding=pb.Value.ENCODING_JSON, data=b"{}")
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await stub.StartDag(pb.StartDagRequest(run_id=run_id, dag="sub", request_id="r", data=value))
    assert error.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "pickle" in error.value.details()
