"""Attempts on a real MongoDB: claim, commit, hand back, take back."""

import asyncio
from datetime import timedelta

import pytest

from lightflow.core.errors import WorkflowUnknown
from lightflow.core.ids import new_id
from lightflow.core.outcomes import Bounds, Ending, ErrorInfo, Outcome
from lightflow.core.states import Reason, Service, State
from lightflow.runtime.takeback import TakeBack
from lightflow_task_worker.waiting import Awaited

DIED = Outcome(Ending.DIED, ErrorInfo("Died", "killed by SIGKILL"))


@pytest.fixture
async def begun(engine):
    """Begin a DAG run with these tasks queued; its id."""

    async def begin(*names, edges="", **options):
        dag_run = await engine.begin_dag(engine.dag_of(*names, edges=edges, **options))
        await engine.runner.look(dag_run)
        return dag_run

    return begin


@pytest.fixture
def claim(engine):
    """Claim an attempt with the engine's worker or another."""

    async def take(worker=None, **kwargs):
        return await (worker or engine.worker).claim(["task"], new_id(), **kwargs)

    return take


@pytest.fixture
def take_back(engine):
    return TakeBack(engine.db, engine.specs, engine.sent, engine.bounds)


async def change(engine, name, **facts):
    await engine.db["task_runs"].update_one({"task": name}, {"$set": facts})


async def shift(engine, name, **time):
    """Move the time from which a task may be claimed."""
    milliseconds = timedelta(**time) / timedelta(milliseconds=1)
    later = {"$set": {"ready_at": {"$add": ["$$NOW", milliseconds]}}}
    await engine.db["task_runs"].update_one({"task": name}, [later])


async def test_the_oldest_attempt_is_claimed_first(engine, begun, claim):
    await begun("a", "b", "c")
    for name, age in (("a", -5), ("b", -60), ("c", -30)):
        await shift(engine, name, seconds=age)
    assert [(await claim())["task"] for _ in range(3)] == ["b", "c", "a"]
    assert await claim() is None


async def test_a_claim_records_who_runs_which_attempt(engine, begun, claim):
    await begun("a")
    task = await claim()
    assert task["state"] == "running"
    assert task["started_at"] == task["attempts"][0]["started_at"]
    assert [(each["worker"], each["outcome"]) for each in task["attempts"]] == [("worker@host", None)]
    assert await engine.worker.held() == [task]


async def test_no_attempt_is_claimed_before_its_time(engine, begun, claim):
    await begun("a")
    await shift(engine, "a", minutes=1)
    assert await claim() is None
    await shift(engine, "a", seconds=-1)
    assert await claim() is not None


@pytest.mark.parametrize("facts", [{"python": "3.99"}, {"schema": 2}, {"queue": "gpu"}, {"state": "waiting"}], ids=str)
async def test_attempts_for_others_are_left_to_them(engine, begun, claim, facts):
    await begun("a")
    await change(engine, "a", **facts)
    before = await engine.everything()
    assert await claim() is None
    assert await engine.everything() == before


async def test_no_attempt_is_claimed_twice(engine, begun):
    await begun(*"abcdefghij")
    workers = [engine.worker_called(f"worker{number}") for number in range(4)]
    claims = [workers[number % 4].claim(["task"], new_id()) for number in range(20)]
    found = [task["task"] for task in await asyncio.gather(*claims) if task is not None]
    assert sorted(found) == list("abcdefghij")


async def test_near_the_cap_only_what_someone_waits_for_is_claimed_the_newest_first(engine, begun, claim):
    other, awaited, run = [await begun(name) for name in "abc"]
    await shift(engine, "b", seconds=-1)
    only = Awaited([awaited], [run.partition(":")[0]])
    assert [(await claim(only=only))["task"] for _ in range(2)] == ["c", "b"]
    assert await claim(only=only) is None
    assert (await claim())["dag_run"] == other


async def test_a_claim_whose_reply_was_lost_is_found_by_its_operation(engine, begun):
    await begun("a", "b")
    task = await engine.worker.claim(["task"], "mine")
    assert [found["_id"] for found in await engine.worker.claimed_by("mine")] == [task["_id"]]
    assert await engine.worker.claimed_by("another") == []
    assert await engine.worker_called("other").claimed_by("mine") == []


@pytest.mark.parametrize("hands_over", [True, False])
async def test_a_late_outcome_is_refused_and_nothing_follows_from_it(engine, begun, claim, take_back, hands_over):
    engine.hands_over = hands_over
    dag_run = await begun("a", "b", edges="a>b")
    task = await claim()
    await take_back.from_dead(task["holder"])
    before = await engine.everything()
    assert not await engine.end(task, engine.succeeds())
    assert not await engine.worker.is_committed(task)
    assert await engine.everything() == before
    assert await engine.states(dag_run) == {"a": "queued", "b": "waiting"}


async def test_the_outcome_of_an_earlier_claim_is_refused_while_a_later_one_runs(engine, begun, claim, take_back):
    await begun("a")
    first = await claim()
    await take_back.from_dead(first["holder"])
    second = await claim(engine.worker_called("other"))
    assert not await engine.end(first, engine.fails())
    assert await engine.end(second, engine.succeeds())
    assert [each["outcome"] for each in (await engine.task("a"))["attempts"]] == ["lost", "succeeded"]


@pytest.mark.parametrize("hands_over", [True, False])
async def test_an_outcome_commits_once_and_is_recognised(engine, begun, claim, hands_over):
    engine.hands_over = hands_over
    dag_run = await begun("a", "b", edges="a>b")
    task = await claim()
    assert not await engine.worker.is_committed(task)
    assert await engine.end(task, engine.succeeds())
    assert not await engine.end(task, engine.fails()), "the fence lets one outcome through"
    assert await engine.worker.is_committed(task)
    assert (await engine.states(dag_run))["a"] == "succeeded"


async def test_an_outcome_that_led_to_another_attempt_is_recognised_until_that_one_begins(engine, begun, claim):
    await begun("a", retries=1)
    task = await claim()
    await engine.end(task, engine.fails())
    assert await engine.worker.is_committed(task)


async def test_a_worker_that_hands_over_leaves_nothing_to_do(engine, begun):
    engine.hands_over = True
    dag_run = await begun("a", "b", "c", edges="a>b a>c")
    engine.outcomes["a"] = [engine.succeeds(only=("b",))]
    await engine.end(await engine.worker.claim(["task"], new_id()), engine.outcomes["a"][0])
    assert await engine.states(dag_run) == {"a": "succeeded", "b": "queued", "c": "skipped"}
    assert not await engine.is_due(dag_run)


async def test_an_attempt_that_was_handed_back_counts_nowhere(engine, begun, claim):
    await begun("a")
    before = await engine.task("a")
    await engine.worker.hand_back(await claim(), None)
    after = await engine.task("a")
    told = ("state", "attempts", "errors", "deaths", "losses")
    assert [after[name] for name in told] == [before[name] for name in told]
    assert (await claim())["task"] == "a"


async def test_handing_back_a_second_attempt_keeps_the_first(engine, begun, claim):
    await begun("a", retries=1)
    first = await claim()
    await engine.end(first, engine.fails())
    await engine.worker.hand_back(await claim(), None)
    task = await engine.task("a")
    assert [each["outcome"] for each in task["attempts"]] == ["error"]
    assert task["started_at"] == first["started_at"]
    assert (task["state"], task["errors"]) == ("queued", 1)


async def test_an_attempt_that_is_given_back_because_of_a_stop_ends_its_task(engine, begun, claim):
    dag_run = await begun("a")
    await engine.worker.hand_back(await claim(), Reason.STOPPED)
    task = await engine.task("a")
    assert (task["state"], task["attempts"], task["started_at"]) == ("stopped", [], None)
    assert await engine.is_due(dag_run)


@pytest.mark.parametrize(
    ("policy", "shortest", "longest"),
    [
        ({}, [0, 0, 0], [0, 0, 0]),
        ({"retry_delay": 10.0}, [10, 10, 10], [10, 10, 10]),
        ({"retry_delay": 10.0, "retry_backoff": 2.0}, [10, 20, 40], [10, 20, 40]),
        ({"retry_delay": 10.0, "retry_backoff": 2.0, "retry_jitter": 0.5}, [10, 20, 40], [15, 30, 60]),
    ],
    ids=["at once", "delay", "backoff", "jitter"],
)
async def test_each_retry_is_due_after_its_delay(engine, begun, claim, policy, shortest, longest):
    await begun("a", retries=3, **policy)
    waited = []
    for _ in range(3):
        await engine.end(await claim(), engine.fails())
        task = await engine.task("a")
        assert task["state"] == "queued"
        waited.append((task["ready_at"] - task["attempts"][-1]["finished_at"]).total_seconds())
        await shift(engine, "a", seconds=-1)
    assert all(low <= given <= high for low, given, high in zip(shortest, waited, longest, strict=True)), waited
    await engine.end(await claim(), engine.fails("the last one"))
    task = await engine.task("a")
    assert (task["state"], task["errors"], task["error"]["message"]) == ("failed", 4, "the last one")


async def test_an_error_longer_than_a_document_may_be_is_kept_without_its_middle(engine, begun, claim):
    await begun("a")
    error = ErrorInfo("ValueError", "first " + "x" * 20_000_000 + " last", "Traceback\n" * 2_000_000 + "the end")
    await engine.end(await claim(), Outcome(Ending.ERROR, error))
    kept = (await engine.task("a"))["error"]
    assert (kept["message"][:6], kept["message"][-5:], kept["traceback"][-7:]) == ("first ", " last", "the end")
    assert "characters left out" in kept["message"]
    assert len(kept["message"]) < 10_000


async def test_the_third_death_fails_the_task_and_says_what_killed_it(engine, begun, claim):
    await begun("a")
    for _ in range(2):
        await engine.end(await claim(), DIED)
        assert (await engine.task("a"))["state"] == "queued"
    await engine.end(await claim(), DIED)
    task = await engine.task("a")
    assert task["state"] == "failed"
    assert "3 times" in task["error"]["message"]
    assert "SIGKILL" in task["error"]["message"]


async def test_deaths_use_up_no_retries(engine, begun, claim):
    await begun("a", retries=1)
    await engine.end(await claim(), DIED)
    await engine.end(await claim(), engine.fails())
    await engine.end(await claim(), engine.succeeds())
    task = await engine.task("a")
    assert (task["state"], task["errors"], task["deaths"]) == ("succeeded", 1, 1)


async def test_what_a_dead_worker_held_runs_again_elsewhere(engine, begun, claim, take_back):
    dag_run = await begun("a", "b")
    first, second = await claim(), await claim(engine.worker_called("living"))
    await engine.db["workers"].insert_one({"_id": first["holder"], "beat": 3})
    engine.sent.hints = []
    await take_back.from_dead(first["holder"])
    assert await engine.states(dag_run) == {first["task"]: "queued", second["task"]: "running"}
    assert (await engine.task(first["task"]))["losses"] == 1
    assert await engine.db["workers"].find_one() is None
    assert engine.sent.to(Service.TASK_WORKER) == [first["_id"]]
    assert (await claim(engine.worker_called("living")))["_id"] == first["_id"]


async def test_so_it_does_where_its_dag_run_is_not_yet_recorded_as_running(engine, begun, claim, take_back):
    dag_run = await begun("a")
    await engine.db["dag_runs"].update_one({"_id": dag_run}, {"$set": {"state": "pending"}})
    await take_back.from_dead((await claim())["holder"])
    assert await engine.states(dag_run) == {"a": "queued"}


async def test_taking_back_twice_counts_once(engine, begun, claim, take_back):
    await begun("a")
    task = await claim()
    await asyncio.gather(*(take_back.from_dead(task["holder"]) for _ in range(3)))
    assert (await engine.task("a"))["losses"] == 1


async def test_a_task_that_costs_too_many_workers_fails(engine, begun, claim, take_back):
    engine.bounds = Bounds(losses=2)
    await begun("a")
    bounded = TakeBack(engine.db, engine.specs, engine.sent, engine.bounds)
    for _ in range(2):
        await bounded.from_dead((await claim())["holder"])
    task = await engine.task("a")
    assert (task["state"], task["losses"], task["error"]["type"]) == ("failed", 2, "WorkerLost")


async def test_what_is_lost_while_stopping_does_not_run_again(engine, begun, claim, take_back):
    dag_run = await begun("a")
    task = await claim()
    await engine.db["dag_runs"].update_one({"_id": dag_run}, {"$set": {"stop": "stopped"}})
    await take_back.from_dead(task["holder"])
    assert (await engine.task("a"))["state"] == "stopped"
    await engine.runner.look(dag_run)
    assert (await engine.dag_run(dag_run))["state"] == "stopped"


async def test_a_task_whose_version_is_gone_is_told_of_and_others_are_taken_back(engine, begun, claim, take_back):
    await begun("a", "b")
    first, second = await claim(), await claim()
    await engine.db["task_runs"].update_one({"_id": first["_id"]}, {"$set": {"version": "gone"}})
    with pytest.raises(WorkflowUnknown):
        await engine.specs.get("gone")
    await take_back.from_dead(first["holder"])
    assert (await engine.task(second["task"]))["state"] == State.QUEUED
