import asyncio
import pickle

import pytest

from lightflow.core.errors import (
    InvalidRequest,
    ResultMissing,
    RunAmbiguous,
    RunUnknown,
    TaskAmbiguous,
    TaskUnknown,
    WorkflowArgumentError,
)
from lightflow.runtime.datastore.encoding import decode, encode


async def test_a_start_answers_with_a_pending_run_and_makes_the_scheduler_look(system):
    await system.deploy()
    answer = await system.call("start_run", "simple", text={"number": "3", "nested.key": "$x"}, keep_data=True)
    assert answer.unnamed == ["nested.key"]
    run = answer.run
    assert (run.state, run.workflow, run.version, run.queue, run.keep_data) == (
        "pending", "simple", "v1", "workflow", True,
    )  # fmt: skip
    assert dict(run.arguments) == {"number": 3, "word": "hello", "nested.key": "$x"}
    assert system.looks == [run.run_id]
    stored = await system.db["runs"].find_one({"_id": run.run_id})
    assert [(start["name"], start["created"]) for start in stored["starts"]] == [("main:1", False)]
    assert stored["dirty"]
    assert decode(await system.payloads.load(stored["values"])) == {"number": 3, "word": "hello", "nested.key": "$x"}


async def test_a_run_for_another_queue_is_left_to_the_schedulers_that_serve_it(system):
    await system.deploy()
    run = (await system.call("start_run", "simple", text={"number": "3"}, queue="nightly")).run
    assert (run.queue, system.looks) == ("nightly", [])
    assert system.hints.sent == [("scheduler", "nightly", run.run_id)]


async def test_a_start_takes_python_values_and_never_opens_them(system):
    await system.deploy()
    encoded = {"number": encode(4), "thing": encode({1, 2}), "big": encode(2**60)}
    run = (await system.call("start_run", "simple", encoded=encoded)).run
    stored = await system.db["runs"].find_one({"_id": run.run_id})
    values = decode(await system.payloads.load(stored["values"]))
    assert values == {"number": 4, "thing": {1, 2}, "big": 2**60, "word": "hello"}
    assert "Python object" in run.arguments["thing"]
    assert run.arguments["big"] == str(2**60)


async def test_a_refused_start_names_the_option_and_leaves_no_run(system):
    await system.deploy()
    with pytest.raises(WorkflowArgumentError, match="number"):
        await system.call("start_run", "simple", text={"number": "many"})
    with pytest.raises(WorkflowArgumentError, match="how many"):
        await system.call("start_run", "simple")
    with pytest.raises(WorkflowArgumentError, match="exclude each other"):
        await system.call("start_run", "simple", text={"number": "1", "a": "1", "a.b": "2"})
    assert await system.db["runs"].count_documents({}) == 0


async def test_starts_with_one_key_are_one_run(system):
    await system.deploy()
    ids = await asyncio.gather(*(system.start(key="k") for _ in range(5)))
    assert len(set(ids)) == 1
    assert await system.db["runs"].count_documents({}) == 1


async def test_starts_that_come_together_are_each_their_own_run_but_for_those_with_one_key(system):
    await system.deploy()
    ids = await asyncio.gather(*(system.start(key="k" if number % 3 == 0 else "") for number in range(12)))
    assert len(set(ids)) == 9
    assert await system.db["runs"].count_documents({"_id": {"$in": ids}}) == 9
    assert sorted(set(system.looks)) == sorted(set(ids))


async def test_a_start_that_is_repeated_gives_its_run_even_where_it_would_be_refused_by_now(system):
    await system.deploy()
    run_id = await system.start(key="k")
    again = await system.call("start_run", "simple", text={"number": "many"}, key="k")
    assert again.run.run_id == run_id


async def test_a_pending_run_that_is_stopped_is_final_at_once(system):
    await system.deploy()
    run = await system.call("stop_run", await system.start())
    assert (run.state, run.reason) == ("stopped", "stopped")
    assert run.HasField("finished_at")
    assert (await system.db["runs"].find_one({"_id": run.run_id}))["cleanup"] is True


async def test_a_running_run_that_is_stopped_is_stopping_and_a_second_stop_may_kill(system):
    await system.deploy()
    run_id = await system.began()
    assert (await system.call("stop_run", run_id)).state == "stopping"
    assert "kill_at" not in await system.db["runs"].find_one({"_id": run_id})
    await system.call("stop_run", run_id, now=True, grace=1.5)
    first = (await system.db["runs"].find_one({"_id": run_id}))["kill_at"]
    await system.call("stop_run", run_id, now=True, grace=100)
    assert (await system.db["runs"].find_one({"_id": run_id}))["kill_at"] == first


async def test_a_stop_of_a_final_run_changes_nothing(system):
    await system.deploy()
    run_id = await system.began()
    await system.set_run(run_id, state="succeeded")
    assert (await system.call("stop_run", run_id, now=True)).state == "succeeded"


async def test_a_run_is_shown_with_its_tasks_and_why_they_wait(system):
    await system.deploy()
    await system.add_worker("w1", queues=("task",))
    run_id = await system.began()
    await system.set_task(run_id, "main:1", 0, state="running")
    await system.set_task(run_id, "main:1", 1, state="queued")
    run = await system.call("get_run", run_id[:8], history=True)
    assert run.run_id == run_id
    first, second = run.dags[0].tasks
    assert (first.name, first.dag, first.state, first.attempts, first.worker) == (
        "first", "main:1", "running", 1, "worker@host",
    )  # fmt: skip
    assert [attempt.number for attempt in first.history] == [1]
    assert (second.name, second.waits_for) == ("second", "a worker of queue gpu")


async def test_ids_that_name_no_run_are_told_apart(system):
    await system.deploy()
    with pytest.raises(InvalidRequest, match="run_id"):
        await system.call("get_run", "my run")
    with pytest.raises(InvalidRequest, match="at least 4"):
        await system.call("get_run", "abc")
    with pytest.raises(RunUnknown, match="abcd"):
        await system.call("get_run", "abcd")
    for last in "01":
        await system.db["runs"].insert_one({"_id": "abcd" + "0" * 19 + last, "state": "failed"})
    with pytest.raises(RunAmbiguous, match="abcd"):
        await system.call("get_run", "abcd")


async def test_runs_are_listed_newest_first_over_several_pages(system):
    await system.deploy()
    started = [await system.start() for _ in range(5)]
    await system.call("stop_run", started[0])
    listed = await system.call("list_runs", page_size=2)
    assert [run.run_id for run in listed] == started[::-1]
    assert [run.run_id for run in await system.call("list_runs", states=["stopped"])] == started[:1]
    since = listed[1].created_at.ToDatetime()
    assert [run.run_id for run in await system.call("list_runs", since=since)] == started[:2:-1]
    assert await system.call("list_runs", workflow="other") == []
    with pytest.raises(InvalidRequest, match="no state"):
        await system.call("list_runs", states=["done"])


async def test_tasks_are_listed_over_runs_and_pages(system):
    await system.deploy()
    runs = [await system.began() for _ in range(3)]
    await system.set_run(runs[0], state="succeeded")
    tasks = await system.call("list_tasks", page_size=1)
    assert {task.id.partition(":")[0] for task in tasks} == set(runs[1:])
    assert len(tasks) == 4
    assert [task.name for task in await system.call("list_tasks", runs[0], queue="gpu")] == ["second"]


async def test_a_result_travels_in_chunks_and_a_missing_one_says_why(system):
    await system.deploy()
    run_id = await system.began()
    output = pickle.dumps(bytes(3_000_000))
    await system.set_task(run_id, "main:1", 0, state="succeeded", output=await system.payloads.save(output, run_id))
    assert await system.call("get_result", run_id, "first") == output
    assert await system.call("get_result", run_id, "main:1/first") == output
    with pytest.raises(ResultMissing, match="waiting"):
        await system.call("get_result", run_id, "second")
    with pytest.raises(TaskUnknown, match="second"):
        await system.call("get_result", run_id, "secnd")
    await system.add_dag_run(run_id, "main:2")
    with pytest.raises(TaskAmbiguous, match="main:2/first"):
        await system.call("get_result", run_id, "first")
    begins = await system.start()
    with pytest.raises(ResultMissing, match="its run is pending; wait for it"):
        await system.call("get_result", begins, "first")
    with pytest.raises(TaskUnknown, match="no tasks"):
        await system.call("stream_logs", begins, task="first")


async def test_a_repeated_insert_does_not_reset_a_run(system):
    from lightflow_scheduler import runs
    from lightflow_scheduler.collaborators import Collaborators

    await system.deploy()
    run_id = await system.began()
    with_ = Collaborators(system.db, system.notifier, system.payloads, None, system.hints, system.looks.append, bool)
    again = await runs.Runs(with_, None)._accept({"_id": run_id, "schema": 1, "state": "pending"})
    assert again["state"] == "running"
