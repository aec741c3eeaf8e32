import asyncio
from datetime import timedelta

import pytest

from lightflow.core.errors import InvalidRequest, RunUnknown, TaskUnknown
from lightflow.runtime.logs import LogWriter
from lightflow.runtime.rpc.requests import timestamp


async def subscribed(system, count):
    """Whether so many listen to notifications."""
    await asyncio.sleep(0)
    return len(system.notifier._subscriptions) == count


class Watch:
    """Reads a stream of the blocking client in a thread."""

    def __init__(self, stream):
        self._stream = stream
        self._seen = []

    async def next(self):
        return await asyncio.wait_for(asyncio.to_thread(next, self._stream, None), 8)

    async def rest(self):
        return await asyncio.wait_for(asyncio.to_thread(list, self._stream), 8)


async def test_a_watcher_gets_the_whole_run_then_what_changes_until_it_is_final(system):
    await system.deploy()
    run_id = await system.began()
    watch = Watch(system.client.watch_run(run_id))
    first = await watch.next()
    assert [task.state for task in first.run.dags[0].tasks] == ["waiting", "waiting"]
    told = asyncio.create_task(watch.rest())
    await system.set_task(run_id, "main:1", 0, state="running")
    await system.set_task(run_id, "main:1", 0, state="succeeded")
    await system.set_task(run_id, "main:1", 1, state="running")
    await system.set_task(run_id, "main:1", 1, state="succeeded")
    await system.set_run(run_id, state="succeeded")
    responses = await told
    changes = {(task.name, task.state) for response in responses for task in response.changed}
    assert {("first", "succeeded"), ("second", "succeeded")} <= changes
    assert responses[-1].run.state == "succeeded"
    assert not any(response.run.dags for response in responses)


async def test_watching_a_final_run_ends_with_the_whole_of_it(system):
    await system.deploy()
    run_id = await system.began()
    await system.set_run(run_id, state="failed", error={"type": "E", "message": "m", "task": "first", "dag": "main:1"})
    (only,) = await system.call("watch_run", run_id)
    assert (only.run.state, only.run.error.task, only.run.error.dag) == ("failed", "first", "main:1")
    assert len(only.run.dags[0].tasks) == 2


async def told_events(system, run_id, since):
    begun, *responses = await system.call("watch_events", run_id, since=since)
    assert begun.since == timestamp(since)
    return [response.event for response in responses]


async def test_events_of_a_run_are_told_once_and_in_order(system):
    await system.deploy()
    run_id = await system.began()
    since = (await system.run(run_id))["created_at"]
    watch = asyncio.create_task(told_events(system, run_id, since))
    await system.set_task(run_id, "main:1", 0, state="running")
    await system.set_task(run_id, "main:1", 0, state="queued")
    await system.set_task(run_id, "main:1", 0, state="running")
    await system.set_task(run_id, "main:1", 0, state="succeeded")
    await system.set_task(run_id, "main:1", 1, state="running")
    await system.set_task(run_id, "main:1", 1, state="failed")
    await system.set_dag_run(run_id, "main:1", state="succeeded")
    await system.set_run(run_id, state="succeeded")
    events = await watch
    assert len({event.id for event in events}) == len(events) == 9
    told = [(event.type, event.name, event.event.rpartition("-")[2], event.attempt) for event in events]
    tasks = [each for each in told if each[0] == "task"]
    assert tasks == [
        ("task", "first", "started", 1),
        ("task", "first", "started", 2),
        ("task", "first", "succeeded", 2),
        ("task", "second", "started", 1),
        ("task", "second", "aborted", 1),
    ]
    assert {("workflow", "simple", "succeeded", 0), ("dag", "main:1", "succeeded", 0)} <= set(told)
    failed = next(event for event in events if event.state == "failed")
    assert (failed.worker, failed.pid, failed.workflow, failed.dag) == ("worker@host", 7, "simple", "main:1")
    assert failed.HasField("duration")
    again = await told_events(system, run_id, since)
    assert [event.id for event in again] == [event.id for event in events]


async def test_what_a_task_did_before_the_start_of_its_dag_run_was_recorded_is_told_after_that(system):
    await system.deploy()
    run_id = await system.start()
    await system.set_run(run_id, state="running", **{"starts.0.created": True})
    watch = Watch(system.client.watch_events(run_id, since=(await system.run(run_id))["created_at"]))
    await watch.next()
    assert (await watch.next()).event.type == "workflow"
    await system.add_dag_run(run_id, "main:1", state="pending")
    await system.set_task(run_id, "main:1", 0, state="running")
    await system.set_task(run_id, "main:1", 0, state="succeeded")
    await system.add_dag_run(run_id, "sub:1")
    assert (await watch.next()).event.name == "sub:1"
    await system.set_dag_run(run_id, "main:1", state="running")
    events = [(await watch.next()).event for _ in range(3)]
    told = [(event.name, event.state) for event in events]
    assert told == [("main:1", "running"), ("first", "running"), ("first", "succeeded")]
    assert len({event.time.ToNanoseconds() for event in events}) == 1


async def test_events_of_all_runs_begin_now(system):
    await system.deploy()
    old, run_id = await system.began(), await system.start()
    watch = Watch(system.client.watch_events())
    opened = await watch.next()
    await system.set_run(run_id, state="running")
    event = (await watch.next()).event
    assert (event.run_id, event.event) == (run_id, "task-lightflow-started")
    assert opened.since.ToDatetime() <= event.time.ToDatetime()
    await system.set_run(old, state="succeeded")
    second = (await watch.next()).event
    assert (second.run_id, second.state) == (old, "succeeded")
    assert second.time.ToNanoseconds() == timestamp((await system.run(old))["finished_at"]).ToNanoseconds()


async def test_a_beginning_that_is_recorded_late_is_told_all_the_same(system):
    await system.deploy()
    old, run_id = await system.began(), await system.start()
    since = (await system.run(run_id))["created_at"] - timedelta(minutes=1)
    watch = Watch(system.client.watch_events(since=since))
    await watch.next()
    await system.set_run(old, state="succeeded")
    while (await watch.next()).event.state != "succeeded":
        pass
    await system.set_run(run_id, state="running", started_at=since + timedelta(seconds=30))
    event = (await watch.next()).event
    assert (event.run_id, event.event) == (run_id, "task-lightflow-started")


def writer(system, run_id, task="first", attempt=1):
    return LogWriter(system.db, system.notifier, run=run_id, dag="main:1", task=task, attempt=attempt)


async def test_what_tasks_write_is_told_while_they_run_and_afterwards(system):
    await system.deploy()
    run_id = await system.began()
    log = writer(system, run_id)
    log.write(b"one\ntw")
    follow = Watch(system.client.stream_logs(run_id, follow=True))
    first = await follow.next()
    assert (first.task, first.dag, first.attempt, first.text) == ("first", "main:1", 1, b"one\ntw")
    log.write(b"o\n")
    assert (await follow.next()).text == b"o\n"
    other = writer(system, run_id, "second")
    other.write(b"three")
    await other.close()
    await log.close()
    await system.set_run(run_id, state="succeeded")
    assert [chunk.text for chunk in await follow.rest()] == [b"three"]
    again = await system.call("stream_logs", run_id, task="main:1/first")
    assert b"".join(chunk.text for chunk in again) == b"one\ntwo\n"


async def test_the_log_of_an_unknown_task_is_an_error_and_that_of_a_silent_one_is_empty(system):
    await system.deploy()
    run_id = await system.began()
    assert await system.call("stream_logs", run_id, task="second") == []
    with pytest.raises(TaskUnknown, match="second"):
        await system.call("stream_logs", run_id, task="secnd")


async def test_who_waits_for_a_run_is_answered_at_its_end_with_the_run_alone(system):
    await system.deploy()
    run_id = await system.began()
    before = len(system.notifier._subscriptions)
    waiting = asyncio.create_task(system.call("wait_run", run_id))
    await system.until(lambda: subscribed(system, before + 1))
    await system.set_task(run_id, "main:1", 0, state="running")
    await system.set_run(run_id, state="succeeded")
    run = (await asyncio.wait_for(waiting, 5)).run
    assert (run.state, list(run.dags)) == ("succeeded", [])
    assert (await system.call("wait_run", run_id)).run == run


async def test_who_waits_for_a_run_is_told_which_others_have_ended_too(system):
    await system.deploy()
    run_id, over, open_ = [await system.began() for _ in range(3)]
    await system.set_run(over, state="failed")
    answer = await system.call("wait_run", run_id, 0.1, [over, open_, "0" * 24])
    assert (answer.run.state, [(run.run_id, run.state) for run in answer.ended]) == ("running", [(over, "failed")])
    for wrong in ([over[:8]], [over] * 101):
        with pytest.raises(InvalidRequest, match="others"):
            await system.call("wait_run", run_id, 0.1, wrong)


async def test_who_waits_for_a_run_gets_it_as_it_is_when_patience_is_over(system):
    await system.deploy()
    run_id = await system.began()
    began = asyncio.get_running_loop().time()
    assert (await system.call("wait_run", run_id, 0.1)).run.state == "running"
    assert asyncio.get_running_loop().time() - began >= 0.1
    with pytest.raises(RunUnknown):
        await system.call("wait_run", "0" * 24, 0.1)
