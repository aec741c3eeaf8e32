"""The scheduler's looks on a real MongoDB."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from lightflow.core.ids import dag_run_id, new_id, task_run_id
from lightflow.core.outcomes import Ending, Outcome
from lightflow.core.run_machine import TASKS_AT_ONCE
from lightflow.core.states import Reason, Service, State
from lightflow.runtime.datastore.encoding import decode
from lightflow.runtime.takeback import TakeBack
from lightflow_scheduler.runs import _stop
from lightflow_scheduler.store import Run
from lightflow_scheduler.sweep import RunSweep

long_ago = datetime(2020, 1, 1, tzinfo=UTC)


async def stop(engine, run_id, grace=None):
    """Ask a run to stop, as the control service does."""
    states = ["pending", "running", "stopping"]
    await engine.db["runs"].update_one({"_id": run_id, "state": {"$in": states}}, [{"$set": _stop(new_id(), grace)}])


async def append(engine, run_id, dag, number=1):
    """Ask a running run for a DAG run, as the control service does; whether the run took it."""
    change = {"$push": {"starts": engine.start_of(dag, number)}, "$set": {"dirty": new_id()}}
    return (await engine.db["runs"].update_one({"_id": run_id, "state": "running"}, change)).modified_count == 1


def two_dags(engine):
    return engine.dag_of(*"ab", edges="a>b"), engine.dag_of("c", dag="sub", autostart=False)


async def test_a_run_begins_with_its_arguments_stored_and_its_first_tasks_hinted_at(engine):
    run_id = await engine.begin(*two_dags(engine), values={"name": "ada", "size": {"x": 1}})
    await engine.scheduler.look(run_id)
    run = await engine.run(run_id)
    assert run["state"] == "running"
    assert run["started_at"] is not None
    assert "dirty" not in run
    assert decode(await engine.data.get(run_id, "name", "data")) == "ada"
    assert decode(await engine.data.get(run_id, "size.x", "data")) == 1
    assert [dag["name"] for dag in await engine.dag_runs(run_id)] == ["main:1"]
    assert set(engine.sent.to(Service.TASK_WORKER)) == {task_run_id(dag_run_id(run_id, "main:1"), 0)}


async def test_a_small_dag_run_begins_by_being_created_after_its_tasks(engine):
    run_id, steps = await engine.begin(*two_dags(engine)), engine.Steps()
    await engine.scheduler_with(steps).look(run_id)
    main = dag_run_id(run_id, "main:1")
    assert steps.made == ["load", "create_tasks", "create_dag_runs", "save"]
    found = await engine.dag_run(main)
    assert (found["state"], found["worker"], "dirty" in found) == ("running", "scheduler@host", False)
    assert found["started_at"] == found["created_at"]
    assert await engine.states(main) == {"a": "queued", "b": "waiting"}
    assert (engine.sent.to(Service.TASK_WORKER), engine.sent.to(Service.DAG_RUNNER)) == ([task_run_id(main, 0)], [])


async def test_nothing_begins_before_what_it_is_part_of(engine):
    run_id = await engine.begin(engine.dag_of("a"))
    await engine.drive(run_id)
    (dag_run,) = await engine.dag_runs(run_id)
    (task,) = await engine.db["task_runs"].find({"run": run_id}).to_list()
    begun = [(await engine.run(run_id))["started_at"], dag_run["started_at"], task["attempts"][0]["started_at"]]
    assert begun == sorted(begun)
    assert dag_run["created_at"] <= dag_run["started_at"]


async def test_a_run_that_waited_for_its_look_begins_when_that_is_made(engine):
    run_id = await engine.begin(engine.dag_of("a"))
    inserted = await engine.run(run_id) | {"created_at": long_ago}
    engine.scheduler.known[run_id] = Run(inserted, read_at=asyncio.get_running_loop().time() - 60.0)
    await engine.scheduler.look(run_id)
    (dag_run,) = await engine.dag_runs(run_id)
    assert timedelta(minutes=1) <= (await engine.run(run_id))["started_at"] - long_ago < timedelta(minutes=2)
    assert dag_run["started_at"] == (await engine.run(run_id))["started_at"]


async def test_tasks_that_a_look_creates_after_its_run_was_stopped_are_stopped_even_if_it_dies(engine):
    run_id = await engine.begin(engine.dag_of(*"abc", edges="a>b b>c"), queue="mine")
    late = engine.scheduler_with(engine.Steps(1))
    late.known[run_id] = Run(await engine.run(run_id) | {"created_at": long_ago})
    await stop(engine, run_id)
    await engine.scheduler.look(run_id)
    assert "dirty" not in await engine.run(run_id), "nobody will look at it again"
    with pytest.raises(engine.Crashed):
        await late.look(run_id)
    task = await engine.worker.claim(["task"], new_id())
    await engine.worker.hand_back(task, Reason.STOPPED)
    await engine.runner.look(task["dag_run"])
    assert engine.sent.hints[-1] == (Service.SCHEDULER, "mine", run_id)
    await engine.scheduler.look(run_id)
    assert (await engine.dag_run(task["dag_run"]))["stop"] == "stopped"
    await engine.runner.look(task["dag_run"])
    assert await engine.states(task["dag_run"]) == dict.fromkeys("abc", "stopped")
    await engine.scheduler.look(run_id)
    assert await Sweep(engine).sweep() == []


@pytest.mark.parametrize(
    ("tasks", "queue"),
    [
        pytest.param(TASKS_AT_ONCE + 1, "dag", id="it is large"),
        pytest.param(1, "mine", id="it has a queue of its own"),
        pytest.param(0, "dag", id="it has no tasks"),
    ],
)
async def test_another_dag_run_begins_with_a_dag_runner(engine, tasks, queue):
    dag = engine.dag_of(*(f"t{index}" for index in range(tasks)))
    run_id = await engine.begin(replace(dag, queue=queue))
    await engine.scheduler.look(run_id)
    (found,) = await engine.dag_runs(run_id)
    assert (found["state"], "dirty" in found, await engine.states(found["_id"])) == ("pending", True, {})
    assert engine.sent.hints == [(Service.DAG_RUNNER, queue, found["_id"])]


async def test_an_attempt_that_is_lost_before_its_dag_run_exists_is_repeated(engine):
    run_id = await engine.begin(*two_dags(engine))
    with pytest.raises(engine.Crashed):
        await engine.scheduler_with(engine.Steps(3)).look(run_id)
    task = await engine.worker.claim(["task"], new_id())
    specs, sent = engine.specs, engine.sent
    await TakeBack(engine.db, specs, sent, engine.bounds).attempts_of(task["holder"], Outcome(Ending.LOST))
    assert await engine.drive(run_id) is State.SUCCEEDED
    assert engine.ran == ["a", "b"]


async def test_a_run_succeeds_when_all_its_dag_runs_are_final(engine):
    run_id = await engine.begin(engine.dag_of("a"), engine.dag_of("b", dag="other"))
    assert await engine.drive(run_id) is State.SUCCEEDED
    run = await engine.run(run_id)
    assert sorted(engine.ran) == ["a", "b"]
    assert all(start["created"] and start["final"] for start in run["starts"])
    assert run["finished_at"] is not None
    assert "dirty" not in run
    assert not [dag for dag in await engine.dag_runs(run_id) if "marked" in dag]


async def test_a_run_that_stored_nothing_is_over_without_a_write_to_close_it(engine):
    run_id, steps = await engine.begin(engine.dag_of("a")), engine.Steps()
    await engine.scheduler.look(run_id)
    await engine.drive_dag(dag_run_id(run_id, "main:1"))
    await engine.scheduler_with(steps).look(run_id)
    assert not {"dirty", "cleanup"} & (await engine.run(run_id)).keys()
    assert steps.made == ["load", "may_hold", "save", "saw"]


async def test_a_look_that_creates_a_dag_run_ends_by_recording_that(engine):
    run_id, steps = await engine.begin(*two_dags(engine)), engine.Steps()
    await engine.scheduler.look(run_id)
    await append(engine, run_id, "sub")
    await engine.scheduler_with(steps).look(run_id)
    run = await engine.run(run_id)
    assert ([start["created"] for start in run["starts"]], "dirty" in run) == ([True, True], False)
    assert steps.made == ["load", "create_tasks", "create_dag_runs", "save", "saw"]


async def test_a_run_without_dag_runs_succeeds(engine):
    run_id = await engine.begin(engine.dag_of("a", autostart=False))
    assert await engine.drive(run_id) is State.SUCCEEDED


async def test_data_is_removed_after_a_run_unless_it_is_kept(engine):
    thrown, kept = [
        await engine.begin(engine.dag_of("a"), values={"name": "ada"}, keep_data=keep) for keep in (False, True)
    ]
    for run_id in (thrown, kept):
        await engine.drive(run_id)
        assert not (await engine.run(run_id)).get("cleanup")
    assert await engine.data.get(thrown, "name", "data") is None
    assert decode(await engine.data.get(kept, "name", "data")) == "ada"


@pytest.mark.parametrize("phase", ["begun", "over"])
async def test_a_look_with_nothing_due_changes_nothing_and_costs_one_read(engine, phase):
    run_id = await engine.begin(*two_dags(engine))
    await engine.scheduler.look(run_id)
    if phase == "over":
        await engine.drive(run_id)
    before, engine.sent.hints, engine.sent.looks = await engine.everything(), [], []
    steps = engine.Steps()
    await engine.scheduler_with(steps).look(run_id)
    assert await engine.everything() == before
    assert (engine.sent.hints, engine.sent.looks) == ([], [])
    assert set(steps.made) <= {"load", "looked_at"}


async def test_a_look_at_nothing_does_nothing(engine):
    steps = engine.Steps()
    await engine.scheduler_with(steps).look("forged")
    assert steps.made == ["load"]


async def test_looks_at_once_do_what_one_does(engine):
    run_id = await engine.begin(*two_dags(engine), values={"name": "ada"})
    for _ in range(8):
        await asyncio.gather(*(engine.scheduler_with(engine.Steps()).look(run_id) for _ in range(3)))
        for dag_run in await engine.dag_runs(run_id):
            await asyncio.gather(*(engine.dag_runner(engine.Steps()).look(dag_run["_id"]) for _ in range(2)))
        await engine.work()
    assert (await engine.run(run_id))["state"] == "succeeded"
    assert engine.ran == ["a", "b"]


@pytest.mark.parametrize("outcome", ["succeeded", "failed"])
async def test_a_look_that_broke_off_after_any_step_is_finished_by_another(engine, outcome):
    run_id = await engine.begin(engine.dag_of("a"), engine.dag_of("b", dag="other"), values={"name": "ada"})
    engine.outcomes["a"] = [engine.fails("broken") if outcome == "failed" else engine.succeeds()]
    died = 0
    for _ in range(8):
        for steps in range(100):
            try:
                await engine.scheduler_with(engine.Steps(steps)).look(run_id)
                break
            except engine.Crashed:
                died += 1
        for dag_run in await engine.dag_runs(run_id):
            await engine.runner.look(dag_run["_id"])
        await engine.work()
    run = await engine.run(run_id)
    assert died > 10
    assert run["state"] == outcome
    assert "dirty" not in run
    assert not run.get("cleanup")
    assert await engine.data.get(run_id, "name", "data") is None
    assert engine.ran.count("a") == 1


@pytest.mark.parametrize("steps", range(1, 12))
async def test_the_sweep_finds_what_a_dead_look_left_undone(engine, steps):
    run_id = await engine.begin(engine.dag_of("a"), values={"name": "ada"})
    for _ in range(10):
        try:
            await engine.scheduler_with(engine.Steps(steps)).look(run_id)
        except engine.Crashed:
            for _, _, found in await Sweep(engine).sweep():
                await engine.scheduler.look(found)
        for dag_run in await engine.dag_runs(run_id):
            await engine.runner.look(dag_run["_id"])
        await engine.work()
    assert (await engine.run(run_id))["state"] == "succeeded"
    assert await Sweep(engine).sweep() == []


async def test_a_failure_in_one_dag_stops_the_others(engine):
    waiting = replace(engine.dag_of(*"cd", edges="c>d", dag="other"), queue="mine")
    run_id = await engine.begin(engine.dag_of(*"ab", edges="a>b"), waiting)
    engine.outcomes["a"] = [engine.fails("no disk")]
    await engine.scheduler.look(run_id)
    main, other = [dag["_id"] for dag in await engine.dag_runs(run_id)]
    await engine.runner.look(main)
    await engine.work()
    await engine.runner.look(main)
    await engine.runner.look(other)
    assert (await engine.dag_run(main))["state"] == "failed"
    await engine.scheduler.look(run_id)
    assert (await engine.run(run_id))["state"] == "stopping"
    assert other in engine.sent.to(Service.DAG_RUNNER)
    assert ("stop", {"run": run_id}) in engine.sent.looks
    assert await engine.drive(run_id) is State.FAILED
    assert engine.ran == ["a"]
    assert await engine.states(other) == {"c": "stopped", "d": "stopped"}
    assert (await engine.run(run_id))["error"]["message"] == "no disk"


async def test_a_dag_run_that_someone_stopped_does_not_end_its_run(engine):
    run_id = await engine.begin(engine.dag_of("a"), engine.dag_of("b", dag="other"))
    await engine.scheduler.look(run_id)
    stopped = {"$set": {"stop": "stopped", "dirty": new_id()}}
    await engine.db["dag_runs"].update_one({"_id": dag_run_id(run_id, "other:1")}, stopped)
    assert await engine.drive(run_id) is State.SUCCEEDED
    assert engine.ran == ["a"]


async def test_a_run_that_is_stopped_while_it_goes_on_ends_stopped(engine):
    run_id = await engine.begin(*two_dags(engine))
    await engine.scheduler.look(run_id)
    await engine.runner.look(dag_run_id(run_id, "main:1"))
    task = await engine.worker.claim(["task"], new_id())
    await stop(engine, run_id)
    await engine.scheduler.look(run_id)
    await engine.runner.look(dag_run_id(run_id, "main:1"))
    assert (await engine.run(run_id))["state"] == "stopping"
    await engine.end(task, engine.succeeds(), stopping=True)
    assert await engine.drive(run_id) is State.STOPPED
    assert await engine.states(dag_run_id(run_id, "main:1")) == {"a": "succeeded", "b": "stopped"}


async def test_a_run_that_is_stopped_while_pending_never_begins(engine):
    run_id = await engine.begin(*two_dags(engine), values={"name": "ada"})
    await stop(engine, run_id)
    await engine.scheduler.look(run_id)
    run = await engine.run(run_id)
    assert (run["state"], run["reason"]) == ("stopped", "stopped")
    assert await engine.dag_runs(run_id) == []
    assert "dirty" not in run


SMALL, LARGE = 2, TASKS_AT_ONCE + 1


@pytest.mark.parametrize(("tasks", "steps"), [*((SMALL, n) for n in range(1, 5)), *((LARGE, n) for n in range(1, 4))])
async def test_a_run_that_is_stopped_while_a_look_begins_it_leaves_nothing_open(engine, tasks, steps):
    dag = engine.dag_of(*(f"t{index}" for index in range(tasks)))
    run_id = await engine.begin(dag, values={"name": "ada"})
    with pytest.raises(engine.Crashed):
        await engine.scheduler_with(engine.Steps(steps)).look(run_id)
    await stop(engine, run_id)
    assert await engine.drive(run_id) is State.STOPPED
    for dag_run in await engine.dag_runs(run_id):
        await engine.runner.look(dag_run["_id"])
    assert all(dag["state"] == "stopped" for dag in await engine.dag_runs(run_id))
    assert await engine.db["task_runs"].count_documents({"run": run_id, "state": {"$ne": "stopped"}}) == 0
    assert engine.ran == []
    await engine.scheduler.look(run_id)
    assert await engine.data.get(run_id, "name", "data") is None


async def test_a_look_that_begins_a_run_whose_dag_runs_have_ended_meanwhile_ends_it(engine):
    run_id = await engine.begin(engine.dag_of("a"))
    with pytest.raises(engine.Crashed):
        await engine.scheduler_with(engine.Steps(3)).look(run_id)
    assert (await engine.run(run_id))["state"] == "pending"
    await engine.drive_dag(dag_run_id(run_id, "main:1"))
    await engine.scheduler.look(run_id)
    assert (await engine.run(run_id))["state"] == "succeeded"


async def test_a_dag_run_asked_for_while_the_run_is_being_finalised_is_not_lost(engine):
    run_id = await engine.begin(*two_dags(engine))
    await engine.scheduler.look(run_id)
    await engine.drive_dag(dag_run_id(run_id, "main:1"))
    found = await engine.scheduler.store.load(run_id)
    taken = []

    class Late:
        """Appends a start between the look's read and its write."""

        def __getattr__(self, name):
            return getattr(engine.scheduler.store, name)

        async def load(self, run_id):
            loaded = found if not taken else await engine.scheduler.store.load(run_id)
            if not taken:
                taken.append(await append(engine, run_id, "sub"))
            return loaded

    object.__setattr__(look := engine.scheduler_with(engine.Steps()), "store", Late())
    await look.look(run_id)
    assert taken == [True]
    assert (await engine.run(run_id))["state"] == "running"
    assert await engine.drive(run_id) is State.SUCCEEDED
    assert engine.ran == ["a", "b", "c"]


async def test_a_run_takes_no_dag_run_once_it_is_final(engine):
    run_id = await engine.begin(*two_dags(engine))
    await engine.drive(run_id)
    assert not await append(engine, run_id, "sub")


async def test_a_dag_may_run_many_times_in_one_run(engine):
    run_id = await engine.begin(*two_dags(engine))
    await engine.scheduler.look(run_id)
    for number in (1, 2, 3):
        assert await append(engine, run_id, "sub", number)
    assert await engine.drive(run_id) is State.SUCCEEDED
    assert engine.ran.count("c") == 3


async def test_a_run_whose_version_is_gone_fails_and_says_so(engine):
    run_id = await engine.begin(engine.dag_of("a"))
    engine.specs.specs.clear()
    await engine.scheduler.look(run_id)
    run = await engine.run(run_id)
    assert run["state"] == "failed"
    assert (run["error"]["type"], "v1" in run["error"]["message"]) == ("WorkflowUnknown", True)
    assert await Sweep(engine).sweep() == []


async def test_a_run_whose_arguments_were_tampered_with_fails_and_says_so(engine):
    run_id = await engine.begin(engine.dag_of("a"), values={"name": "ada"})
    await engine.db["runs"].update_one({"_id": run_id}, {"$set": {"values.data": b"forged"}})
    await engine.scheduler.look(run_id)
    assert (await engine.run(run_id))["error"]["type"] == "PayloadForged"
    assert await engine.dag_runs(run_id) == []


async def test_a_run_whose_version_vanishes_on_the_way_fails_through_its_dag_runs(engine):
    run_id = await engine.begin(*two_dags(engine))
    await engine.scheduler.look(run_id)
    await append(engine, run_id, "sub")
    engine.specs.specs.clear()
    assert await engine.drive(run_id) is State.FAILED
    assert (await engine.run(run_id))["error"]["type"] == "WorkflowUnknown"
    assert engine.ran == []


async def test_a_run_of_a_newer_release_is_left_to_it(engine):
    run_id = await engine.begin(engine.dag_of("a"), schema=2)
    before = await engine.everything()
    await engine.scheduler.look(run_id)
    assert await engine.everything() == before


class Sweep:
    """Answers the questions of the sweep, as the one command of a sweep does."""

    def __init__(self, engine, waiting=0, served=("workflow",)):
        self.engine = engine
        self.waiting = waiting
        self.part = RunSweep(engine.sent, self, served)

    async def is_empty(self, service, queue):
        return self.waiting == 0

    async def sweep(self, redis_forgot=False):
        found = []
        for collection, pipeline in self.part.questions():
            found += await (await self.engine.db[collection].aggregate(pipeline)).to_list()
        self.engine.sent.hints = []
        await self.part.act(found, redis_forgot)
        return list(dict.fromkeys(self.engine.sent.hints))


async def test_a_crowd_in_a_queue_that_nobody_serves_hides_no_run_from_the_sweep(engine):
    run_id = await engine.begin(engine.dag_of("a"))
    await engine.scheduler.look(run_id)
    await engine.drive_dag(dag_run_id(run_id, "main:1"))
    (ended,) = await engine.dag_runs(run_id)
    waiting = await engine.begin()
    run = await engine.run(waiting)
    crowd = [{**run, "_id": f"0{number}", "queue": "nobody"} for number in range(2000)]
    await engine.db["runs"].insert_many(crowd)
    dag_runs = [{**ended, "_id": f"0{number}", "run": f"0{number}", "run_queue": "nobody"} for number in range(2000)]
    await engine.db["dag_runs"].insert_many(dag_runs)
    assert {found for *_, found in await Sweep(engine).sweep()} == {run_id, waiting}


async def test_the_sweep_hints_at_runs_whose_dag_runs_ended_unseen(engine):
    run_id = await engine.begin(engine.dag_of("a"))
    await engine.scheduler.look(run_id)
    assert await Sweep(engine).sweep() == []
    await engine.drive_dag(dag_run_id(run_id, "main:1"))
    assert await Sweep(engine).sweep() == [(Service.SCHEDULER, "workflow", run_id)]
    assert await Sweep(engine, waiting=1).sweep() == []
    assert await Sweep(engine, waiting=1).sweep(redis_forgot=True) == [(Service.SCHEDULER, "workflow", run_id)]


async def test_a_run_of_a_queue_that_nobody_serves_is_stopped_by_any_scheduler(engine):
    run_id, sweep = await engine.begin(engine.dag_of("a"), queue="nobody"), Sweep(engine)
    assert await sweep.sweep() == [], "it waits for one that serves it"
    await engine.scheduler.look(run_id)
    await engine.runner.look(dag_run_id(run_id, "main:1"))
    task = await engine.worker.claim(["task"], new_id())
    await stop(engine, run_id)
    assert await sweep.sweep() == [(Service.SCHEDULER, "workflow", run_id)], "no look was made after the stop"
    await engine.scheduler.look(run_id)
    await engine.runner.look(dag_run_id(run_id, "main:1"))
    await engine.end(task, engine.succeeds(), stopping=True)
    await engine.runner.look(dag_run_id(run_id, "main:1"))
    assert await sweep.sweep() == [(Service.SCHEDULER, "workflow", run_id)], "its last DAG run ended unseen"
    await engine.scheduler.look(run_id)
    assert (await engine.run(run_id))["state"] == "stopped"
    assert await sweep.sweep() == []


async def test_a_run_that_nobody_stopped_is_left_to_those_who_serve_its_queue(engine):
    run_id = await engine.begin(engine.dag_of("a"), queue="nobody")
    await engine.scheduler.look(run_id)
    await engine.drive_dag(dag_run_id(run_id, "main:1"))
    assert await Sweep(engine).sweep() == []
    assert await Sweep(engine, served=("nobody",)).sweep() == [(Service.SCHEDULER, "nobody", run_id)]
