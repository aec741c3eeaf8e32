"""The dag-runner's looks on a real MongoDB."""

import asyncio

import pytest

from lightflow.core.ids import new_id, task_run_id
from lightflow.core.states import Service, State
from lightflow_dag_runner.sweep import DagSweep

DIAMOND = {"edges": "a>b a>c b>d c>d"}


async def until_it_lives(engine, dag_run, look):
    """Let dag-runners die after one more step each until one finishes its look; how many died."""
    for steps in range(100):
        runner = engine.dag_runner(engine.Steps(steps))
        try:
            await look(runner, dag_run)
        except engine.Crashed:
            continue
        return steps
    raise AssertionError("the look never ends")


async def test_a_dag_run_begins_with_all_its_tasks_and_the_first_ones_queued(engine):
    dag_run = await engine.begin_dag(engine.dag_of(*"abcd", **DIAMOND))
    await engine.runner.look(dag_run)
    assert await engine.states(dag_run) == {"a": "queued", "b": "waiting", "c": "waiting", "d": "waiting"}
    found = await engine.dag_run(dag_run)
    assert found["state"] == "running"
    assert found["started_at"] is not None
    assert "dirty" not in found
    assert engine.sent.to(Service.TASK_WORKER) == [task_run_id(dag_run, 0)]


@pytest.mark.parametrize("by", ["dag-runner", "worker"])
async def test_a_dag_run_goes_from_task_to_task_and_succeeds(engine, by):
    engine.hands_over = by == "worker"
    dag_run = await engine.begin_dag(engine.dag_of(*"abcd", **DIAMOND))
    assert await engine.drive_dag(dag_run) is State.SUCCEEDED
    assert (engine.ran[0], sorted(engine.ran[1:3]), engine.ran[3]) == ("a", ["b", "c"], "d")
    assert (await engine.dag_run(dag_run))["marked"], "the scheduler has not seen it"
    assert engine.sent.to(Service.SCHEDULER) == [dag_run.partition(":")[0]]


async def test_a_dag_run_without_tasks_succeeds_at_once(engine):
    dag_run = await engine.begin_dag(engine.dag_of())
    await engine.runner.look(dag_run)
    assert (await engine.dag_run(dag_run))["state"] == "succeeded"


async def test_what_a_task_does_not_select_is_skipped_as_far_as_it_reaches(engine):
    dag_run = await engine.begin_dag(engine.dag_of(*"abcde", edges="a>b a>c b>d c>e d>e"))
    engine.outcomes["a"] = [engine.succeeds(only=("c",))]
    assert await engine.drive_dag(dag_run) is State.SUCCEEDED
    assert engine.ran == ["a", "c", "e"]
    assert await engine.states(dag_run) == dict.fromkeys("ace", "succeeded") | dict.fromkeys("bd", "skipped")


@pytest.mark.parametrize("phase", ["begun", "between", "over"])
async def test_a_look_with_nothing_due_changes_nothing_and_tells_nobody(engine, phase):
    dag_run = await engine.begin_dag(engine.dag_of(*"ab", edges="a>b"))
    await engine.runner.look(dag_run)
    if phase == "between":
        await engine.work()
        await engine.runner.look(dag_run)
    elif phase == "over":
        await engine.drive_dag(dag_run)
    before, engine.sent.hints, engine.sent.looks = await engine.everything(), [], []
    steps = engine.Steps()
    await engine.dag_runner(steps).look(dag_run)
    assert await engine.everything() == before
    assert engine.sent.to(Service.TASK_WORKER) == []
    assert engine.sent.looks == []


async def test_a_look_with_nothing_due_costs_a_known_dag_run_one_read(engine):
    dag_run = await engine.begin_dag(engine.dag_of(*"ab", edges="a>b"))
    steps = engine.Steps()
    runner = engine.dag_runner(steps)
    await runner.look(dag_run)
    steps.made.clear()
    await runner.look(dag_run)
    assert steps.made[0] == "load"
    assert set(steps.made) <= {"load", "apply", "remains"}


async def test_a_task_that_is_queued_from_the_first_comes_after_those_that_wait(engine):
    dag_run = await engine.begin_dag(engine.dag_of(*"abcd", **DIAMOND))
    await engine.runner.look(dag_run)
    inserted = [task["task"] async for task in engine.db["task_runs"].find().sort("$natural", 1)]
    assert inserted == list("bcda"), "whoever runs a must find what follows it"


async def test_a_look_at_nothing_does_nothing(engine):
    steps = engine.Steps()
    await engine.dag_runner(steps).look("forged")
    assert steps.made == ["load", "run_queue"]


async def test_two_looks_at_once_do_what_one_does(engine):
    dag_run = await engine.begin_dag(engine.dag_of(*"abcd", **DIAMOND))
    for _ in range(4):
        await asyncio.gather(*(engine.dag_runner(engine.Steps()).look(dag_run) for _ in range(2)))
        await engine.work()
    await asyncio.gather(*(engine.dag_runner(engine.Steps()).look(dag_run) for _ in range(2)))
    assert sorted(engine.ran) == list("abcd")
    assert (await engine.dag_run(dag_run))["state"] == "succeeded"


@pytest.mark.parametrize("by", ["dag-runner", "worker"])
async def test_a_look_that_broke_off_after_any_step_is_finished_by_another(engine, by):
    engine.hands_over = by == "worker"
    dag_run = await engine.begin_dag(engine.dag_of(*"abcde", edges="a>b a>c b>d c>d a>e"))
    engine.outcomes["a"] = [engine.succeeds(only=("b", "c"))]
    died = 0
    for _ in range(10):
        died += await until_it_lives(engine, dag_run, lambda runner, dag_run: runner.look(dag_run))
        if (await engine.dag_run(dag_run))["state"] == "succeeded":
            break
        assert await engine.work() or await engine.is_due(dag_run)
    assert died >= 10
    assert sorted(engine.ran) == list("abcd")
    assert await engine.states(dag_run) == dict.fromkeys("abcd", "succeeded") | {"e": "skipped"}


@pytest.mark.parametrize("steps", range(1, 9))
async def test_the_sweep_finds_what_a_dead_look_left_undone(engine, steps):
    dag_run = await engine.begin_dag(engine.dag_of(*"ab", edges="a>b"))
    for _ in range(20):
        runner = engine.dag_runner(engine.Steps(steps))
        try:
            await runner.look(dag_run)
        except engine.Crashed:
            for service, _, found in await Found(engine).sweep():
                if service is Service.DAG_RUNNER:
                    await engine.runner.look(found)
        await engine.work()
        if (await engine.dag_run(dag_run))["state"] == "succeeded":
            break
    assert engine.ran == ["a", "b"]


async def test_a_failed_task_stops_its_dag_run_and_what_waits_in_it(engine):
    dag_run = await engine.begin_dag(engine.dag_of(*"abc", edges="a>b"))
    engine.outcomes["a"] = [engine.fails("no disk")]
    assert await engine.drive_dag(dag_run) is State.FAILED
    assert await engine.states(dag_run) == {"a": "failed", "b": "stopped", "c": "succeeded"}
    error = (await engine.dag_run(dag_run))["error"]
    assert (error["type"], error["message"], error["task"], error["dag"]) == ("ValueError", "no disk", "a", "main:1")


async def test_what_still_runs_while_stopping_is_waited_for(engine):
    dag_run = await engine.begin_dag(engine.dag_of(*"abc", edges="b>c"))
    await engine.runner.look(dag_run)
    first, second = [await engine.worker.claim(["task"], new_id()) for _ in range(2)]
    await engine.end(first, engine.fails())
    await engine.runner.look(dag_run)
    assert (await engine.dag_run(dag_run))["state"] == "stopping"
    await engine.end(second, engine.succeeds(), stopping=True)
    await engine.runner.look(dag_run)
    assert (await engine.dag_run(dag_run))["state"] == "failed"
    assert (await engine.states(dag_run))["c"] == "stopped"


async def test_a_stop_asked_for_before_it_begins_leaves_no_task_to_claim(engine):
    dag_run = await engine.begin_dag(engine.dag_of(*"ab", edges="a>b"), stop="stopped")
    await engine.runner.look(dag_run)
    assert (await engine.dag_run(dag_run))["state"] == "stopped"
    assert await engine.work() == 0


@pytest.mark.parametrize("asked", ["begun", "running"])
async def test_a_stop_request_ends_a_dag_run(engine, asked):
    dag_run = await engine.begin_dag(engine.dag_of(*"ab", edges="a>b"))
    await engine.runner.look(dag_run)
    task = await engine.worker.claim(["task"], new_id()) if asked == "running" else None
    await engine.db["dag_runs"].update_one({"_id": dag_run}, {"$set": {"stop": "stopped", "dirty": new_id()}})
    await engine.runner.look(dag_run)
    assert ("stop", {"run": dag_run.partition(":")[0]}) in engine.sent.looks
    if task is not None:
        assert (await engine.dag_run(dag_run))["state"] == "stopping"
        await engine.end(task, engine.succeeds(), stopping=True)
        await engine.runner.look(dag_run)
    assert (await engine.dag_run(dag_run))["state"] == "stopped"
    assert (await engine.states(dag_run))["b"] == "stopped"


async def test_a_stop_is_finished_although_a_worker_that_did_not_know_of_it_handed_over_in_vain(engine):
    engine.hands_over = True
    dag_run = await engine.begin_dag(engine.dag_of(*"ab", edges="a>b"))
    await engine.runner.look(dag_run)
    task = await engine.worker.claim(["task"], new_id())
    await engine.db["dag_runs"].update_one({"_id": dag_run}, {"$set": {"stop": "stopped", "dirty": new_id()}})
    await engine.runner.look(dag_run)
    assert await engine.end(task, engine.succeeds())
    assert await engine.states(dag_run) == {"a": "succeeded", "b": "stopped"}
    assert await Found(engine).sweep() == [(Service.DAG_RUNNER, "dag", dag_run)]
    await engine.runner.look(dag_run)
    found = await engine.dag_run(dag_run)
    assert (found["state"], "dirty" in found) == ("stopped", False)


async def test_a_stop_that_broke_off_after_any_step_is_finished_by_another_look(engine):
    dag_run = await engine.begin_dag(engine.dag_of(*"abc", edges="a>b"))
    await engine.runner.look(dag_run)
    await engine.db["dag_runs"].update_one({"_id": dag_run}, {"$set": {"stop": "aborted", "dirty": new_id()}})
    await until_it_lives(engine, dag_run, lambda runner, dag_run: runner.look(dag_run))
    assert (await engine.dag_run(dag_run))["state"] == "aborted"
    assert set((await engine.states(dag_run)).values()) == {"stopped"}


async def test_the_stronger_reason_wins_while_stopping(engine):
    dag_run = await engine.begin_dag(engine.dag_of(*"ab"))
    await engine.runner.look(dag_run)
    first, second = [await engine.worker.claim(["task"], new_id()) for _ in range(2)]
    await engine.db["dag_runs"].update_one({"_id": dag_run}, {"$set": {"stop": "stopped", "dirty": new_id()}})
    await engine.runner.look(dag_run)
    await engine.end(first, engine.succeeds(), stopping=True)
    await engine.end(second, engine.fails(), stopping=True)
    await engine.runner.look(dag_run)
    found = await engine.dag_run(dag_run)
    assert (found["state"], found["reason"]) == ("failed", "failed")


async def test_a_dag_run_whose_version_is_gone_fails_and_says_so(engine):
    dag_run = await engine.begin_dag(engine.dag_of("a"), version="gone")
    await engine.runner.look(dag_run)
    found = await engine.dag_run(dag_run)
    assert found["state"] == "failed"
    assert found["error"]["type"] == "WorkflowUnknown"
    assert "gone" in found["error"]["message"]


async def test_a_version_that_vanishes_on_the_way_fails_the_dag_run(engine):
    dag_run = await engine.begin_dag(engine.dag_of(*"ab", edges="a>b"))
    await engine.runner.look(dag_run)
    await engine.work()
    engine.specs.specs.clear()
    await engine.runner.look(dag_run)
    assert (await engine.dag_run(dag_run))["state"] == "failed"
    assert await engine.states(dag_run) == {"a": "succeeded", "b": "stopped"}


async def test_a_dag_run_of_a_newer_release_is_left_to_it(engine):
    dag_run = await engine.begin_dag(engine.dag_of("a"), schema=2)
    before = await engine.everything()
    await engine.runner.look(dag_run)
    assert await engine.everything() == before


async def test_a_dag_runner_that_forgot_everything_goes_on_from_the_record(engine):
    dag_run = await engine.begin_dag(engine.dag_of(*"abcdef", edges="a>c b>c c>d c>e d>f e>f"))
    for _ in range(10):
        await engine.dag_runner(engine.Steps()).look(dag_run)
        await engine.work()
    assert (await engine.dag_run(dag_run))["state"] == "succeeded"
    assert sorted(engine.ran) == list("abcdef")


class Found:
    """Answers the questions of the sweep, as the one command of a sweep does."""

    def __init__(self, engine, waiting=0, served=("dag",)):
        self.engine = engine
        self.waiting = waiting
        self.part = DagSweep(engine.sent, self, served)

    async def is_empty(self, service, queue):
        return self.waiting == 0

    async def sweep(self, redis_forgot=False):
        found = []
        for collection, pipeline in self.part.questions():
            found += await (await self.engine.db[collection].aggregate(pipeline)).to_list()
        self.engine.sent.hints = []
        await self.part.act(found, redis_forgot)
        return self.engine.sent.hints


async def test_the_sweep_hints_again_at_whatever_is_due(engine):
    dag_run, sweep = await engine.begin_dag(engine.dag_of(*"ab", edges="a>b")), Found(engine)
    assert await sweep.sweep() == [(Service.DAG_RUNNER, "dag", dag_run)], "a look that was never made"
    await engine.runner.look(dag_run)
    assert await sweep.sweep() == [(Service.TASK_WORKER, "task", task_run_id(dag_run, 0))], "nobody was hinted at it"
    await engine.work()
    assert await sweep.sweep() == [(Service.DAG_RUNNER, "dag", dag_run)], "a task that ended unseen"


async def test_a_crowd_in_queues_that_nobody_serves_hides_nothing_from_the_sweep(engine):
    dag_run, sweep = await engine.begin_dag(engine.dag_of(*"ab")), Found(engine)
    await engine.runner.look(dag_run)
    await engine.end(await engine.worker.claim(["task"], new_id()), engine.succeeds())
    (dag_document,), waiting = await engine.db["dag_runs"].find().to_list(), await engine.begin_dag(engine.dag_of("a"))
    ended, queued = await engine.db["task_runs"].find().sort("state", -1).to_list()
    crowd = range(2000)
    await engine.db["dag_runs"].insert_many(
        [{**dag_document, "_id": f"0{number}", "queue": "all", "dirty": "0"} for number in crowd]
    )
    strangers = {"dag_queue": "all", "queue": "all"}
    await engine.db["task_runs"].insert_many(
        [
            {**task, **strangers, "_id": f"0{task['_id']}/{number}", "dag_run": f"0{number}"}
            for task in (ended, queued)
            for number in crowd
        ]
    )
    found = await sweep.sweep()
    assert {each for each in found if each[:2] == (Service.DAG_RUNNER, "dag")} == {
        (Service.DAG_RUNNER, "dag", dag_run),
        (Service.DAG_RUNNER, "dag", waiting),
    }
    assert (Service.TASK_WORKER, "task", queued["_id"]) in found


async def test_a_system_at_rest_is_not_hinted_at(engine):
    dag_run, sweep = await engine.begin_dag(engine.dag_of("a")), Found(engine)
    await engine.runner.look(dag_run)
    task = await engine.worker.claim(["task"], new_id())
    assert await sweep.sweep() == [], "while its one task runs"
    await engine.end(task, engine.succeeds())
    await engine.runner.look(dag_run)
    assert await sweep.sweep() == [], "when it is over"


async def test_a_dag_run_of_a_queue_that_nobody_serves_is_stopped_by_any_dag_runner(engine):
    dag_run, sweep = await engine.begin_dag(engine.dag_of("a")), Found(engine)
    await engine.db["dag_runs"].update_one({"_id": dag_run}, {"$set": {"queue": "nobody"}})
    assert await sweep.sweep() == [], "it waits for one that serves it"
    assert await Found(engine, served=("nobody",)).sweep() == [(Service.DAG_RUNNER, "nobody", dag_run)]
    await engine.db["dag_runs"].update_one({"_id": dag_run}, {"$set": {"stop": "stopped"}})
    assert await sweep.sweep() == [(Service.DAG_RUNNER, "dag", dag_run)]


async def test_a_stopping_dag_run_of_a_queue_that_nobody_serves_is_ended_by_any_dag_runner(engine):
    dag_run, sweep = await engine.begin_dag(engine.dag_of(*"ab"), queue="nobody"), Found(engine)
    await engine.runner.look(dag_run)
    one, other = [await engine.worker.claim(["task"], new_id()) for _ in range(2)]
    await engine.end(one, engine.succeeds())
    assert await sweep.sweep() == [], "nobody asked it to stop"
    await engine.db["dag_runs"].update_one({"_id": dag_run}, {"$set": {"stop": "stopped", "dirty": new_id()}})
    await engine.runner.look(dag_run)
    await engine.end(other, engine.succeeds(), stopping=True)
    assert await sweep.sweep() == [(Service.DAG_RUNNER, "dag", dag_run)]
    await engine.runner.look(dag_run)
    assert (await engine.dag_run(dag_run))["state"] == "stopped"


async def test_hints_that_wait_are_not_doubled_unless_redis_lost_its_memory(engine):
    dag_run, sweep = await engine.begin_dag(engine.dag_of("a")), Found(engine, waiting=1)
    assert await sweep.sweep() == []
    assert await sweep.sweep(redis_forgot=True) == [(Service.DAG_RUNNER, "dag", dag_run)]


async def test_an_attempt_that_is_due_later_is_not_hinted_at(engine):
    dag_run, sweep = await engine.begin_dag(engine.dag_of("a", retries=1, retry_delay=600)), Found(engine)
    await engine.runner.look(dag_run)
    await engine.end(await engine.worker.claim(["task"], new_id()), engine.fails())
    assert (await engine.states(dag_run)) == {"a": "queued"}
    assert await sweep.sweep() == []
    assert await engine.worker.claim(["task"], new_id()) is None
