"""One attempt in a worker, and the worker's lease, on a real MongoDB; a stand-in takes the place of the child."""

import asyncio
from dataclasses import dataclass, field
from types import SimpleNamespace

import pytest
from pymongo.errors import AutoReconnect

from lightflow.core.errors import WorkflowUnknown
from lightflow.core.ids import new_id
from lightflow.core.leases import LeaseWatch
from lightflow.core.outcomes import Ending, ErrorInfo, Outcome
from lightflow.core.states import Reason, Service
from lightflow.runtime.batches import Turns
from lightflow.runtime.membership import Member, Membership
from lightflow.runtime.settings import EngineSettings
from lightflow.runtime.sweep import Sweep
from lightflow.runtime.takeback import TakeBack
from lightflow_dag_runner.sweep import DagSweep
from lightflow_task_worker.attempt import Attempt, Tools
from lightflow_task_worker.backlog import LATELY, SHORT
from lightflow_task_worker.facts import Facts, StopFacts
from lightflow_task_worker.inputs import Inputs
from lightflow_task_worker.knowledge import Knowledge
from lightflow_task_worker.lease import Lease
from lightflow_task_worker.loop import TaskWorker
from lightflow_task_worker.pool import Pool as LentPool
from lightflow_task_worker.preparing import Preparing
from lightflow_task_worker.settings import Settings
from lightflow_task_worker.slot import Result
from lightflow_task_worker.store import Store as TaskStore
from lightflow_task_worker.succession import succeed
from lightflow_task_worker.waiting import Waiting

LARGE = b"x" * 100_000


@dataclass
class Slot:
    """Runs what the test says in place of user code."""

    does: object = None
    jobs: list = field(default_factory=list)
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    told: asyncio.Event = field(default_factory=asyncio.Event)
    killed: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self, job, calls, output):
        self.jobs.append(job)
        self.begun.set()
        return await self.does(self) if self.does else Result(Outcome(Ending.SUCCEEDED), LARGE)

    def tell_stopped(self):
        self.told.set()

    async def kill(self):
        self.killed.set()


async def until_killed(slot):
    await slot.killed.wait()
    return Result(Outcome(Ending.KILLED), None)


class LosesReplies:
    """A store whose commit takes effect although its reply is lost."""

    def __init__(self, store):
        self._store = store
        self.lost = 0

    def __getattr__(self, name):
        return getattr(self._store, name)

    async def commit(self, *args):
        committed = await self._store.commit(*args)
        if not self.lost:
            self.lost += 1
            raise AutoReconnect("the reply was lost")
        return committed


@pytest.fixture
def slot():
    return Slot()


@pytest.fixture
def member():
    return Member(Service.TASK_WORKER, "worker@host", ("task",), "redis://", 1)


@pytest.fixture
def tools(engine, slot, member):
    class Versions:
        async def get(self, version):
            spec = await engine.specs.get(version)
            return SimpleNamespace(spec=spec, folder=None, shard=lambda dag, index: asyncio.sleep(0, b"shard"))

    class Pool:
        free = 1

        async def slot_for(self, version):
            return slot

        async def put_back(self, slot):
            pass

        def process_pids(self):
            return []

    settings = Settings(EngineSettings(), "worker@host", ("task",), (), ())
    store = TaskStore(engine.db, member, Turns())
    preparing = Preparing(Inputs(engine.payloads), engine.payloads, "worker@host")
    return Tools(
        engine.db,
        settings,
        store,
        Knowledge(Facts(engine.db, Turns()), lambda: True),
        Versions(),
        engine.payloads,
        preparing,
        Pool(),
        engine.sent,
        engine.sent,
        SimpleNamespace(waiting=SimpleNamespace(is_crowded=False), holds=lambda: True),
    )


@pytest.fixture
def claimed(engine, tools):
    """Claim the first task of a run with these tasks."""

    async def claim(*names, edges="", **options):
        run_id = await engine.begin(engine.dag_of(*names, edges=edges, **options))
        await engine.scheduler.look(run_id)
        await engine.runner.look((await engine.dag_runs(run_id))[0]["_id"])
        task = await tools.store.claim(["task"], new_id())
        attempt = tools.held[task["_id"]] = Attempt(task, tools)
        return attempt

    return claim


async def run(attempt):
    """All of an attempt; what was claimed with its commit."""
    executed = await attempt.execute()
    return None if executed is None else await attempt.end(executed)


async def blobs(engine):
    return await engine.db["blobs.files"].count_documents({})


async def test_an_attempt_runs_and_commits_its_outcome_with_its_output(engine, claimed, slot):
    await run(await claimed("a"))
    task = await engine.task("a")
    assert task["state"] == "succeeded"
    assert await engine.payloads.load(task["output"]) == LARGE
    assert (slot.jobs[0].task, slot.jobs[0].attempt, slot.jobs[0].shard) == ("a", 1, b"shard")


@pytest.mark.parametrize("what", ["run", "DAG run"])
async def test_a_stop_between_claim_and_start_keeps_user_code_from_running(engine, claimed, slot, what):
    attempt = await claimed("a")
    if what == "run":
        await engine.db["runs"].update_one({}, {"$set": {"state": "stopping", "reason": "aborted"}})
    else:
        await engine.db["dag_runs"].update_one({}, {"$set": {"stop": "stopped"}})
    await run(attempt)
    task = await engine.task("a")
    assert slot.jobs == []
    assert (task["state"], task["attempts"]) == ("stopped", [])
    assert engine.sent.to(Service.DAG_RUNNER)[-1] == task["dag_run"]


@pytest.mark.parametrize("edges", ["", "a>b"], ids=["last", "hands over"])
async def test_a_commit_whose_reply_was_lost_counts_once_and_keeps_its_output(engine, claimed, tools, edges):
    attempt = await claimed("a", "b", edges=edges)
    object.__setattr__(tools, "store", LosesReplies(tools.store))
    name = attempt.task["task"]
    await run(attempt)
    task = await engine.task(name)
    assert [each["outcome"] for each in task["attempts"]] == ["succeeded"]
    assert await engine.payloads.load(task["output"]) == LARGE
    assert task["dag_run"] in engine.sent.to(Service.DAG_RUNNER), "nobody knows whether what follows was done"


@pytest.mark.parametrize("are_taken", [False, True])
async def test_while_more_waits_to_be_claimed_successors_have_half_of_the_places_ahead(claimed, tools, are_taken):
    attempt = await claimed("a", "b", edges="a>b")
    tools.backlog.hinted()
    for number in range(LATELY):  # short ones, so that there are places
        tools.pace.begin(number, 0.0)
        tools.pace.end(number, SHORT / 4)
    half = tools.places_ahead // 2
    tools.ahead.extend([(0.0, attempt)] * (half if are_taken else half - 1))
    assert (await run(attempt) is None) == are_taken


async def test_a_successor_that_was_claimed_by_a_commit_whose_reply_was_lost_is_gone_on_with(claimed, tools):
    attempt = await claimed("a", "b", edges="a>b")
    object.__setattr__(tools, "store", LosesReplies(tools.store))
    tools.backlog.exhausted(tools.backlog.told)
    successor = await run(attempt)
    assert (successor["task"], len(successor["attempts"])) == ("b", 1)
    assert tools.store.is_mine(successor)


@pytest.mark.parametrize("what", ["version", "circumstances", "inputs"])
async def test_an_outage_before_user_code_is_waited_through(engine, claimed, tools, monkeypatch, what):
    attempt = await claimed("a")
    owner, name = {
        "version": (type(tools.versions), "get"),
        "circumstances": (Facts, "circumstances"),
        "inputs": (Preparing, "job"),
    }[what]
    real, outages = getattr(owner, name), [AutoReconnect("MongoDB is away")]

    async def read(self, *given):
        if outages:
            raise outages.pop()
        return await real(self, *given)

    monkeypatch.setattr(owner, name, read)
    await run(attempt)
    assert outages == []
    assert [each["outcome"] for each in (await engine.task("a"))["attempts"]] == ["succeeded"]


async def test_two_attempts_of_one_task_that_overlap_give_both_their_slots_back(claimed, tools):
    pool = LentPool(None, 2, lambda: None)
    object.__setattr__(tools, "pool", pool)
    first = await claimed("a")
    second = Attempt({**first.task, "claim": "another"}, tools)
    for attempt in (first, second):
        attempt.take_slot()
    for attempt in (first, second, first):
        attempt.give_slot()
    assert pool.free == 2


async def test_an_outcome_that_comes_too_late_is_thrown_away_with_its_output(engine, claimed, slot):
    attempt = await claimed("a")

    async def lose(slot):
        await TakeBack(engine.db, engine.specs, engine.sent, engine.bounds).from_dead(attempt.task["holder"])
        return Result(Outcome(Ending.SUCCEEDED), LARGE)

    slot.does = lose
    await run(attempt)
    task = await engine.task("a")
    assert (task["state"], task["losses"]) == ("queued", 1)
    assert await blobs(engine) == 0


async def test_a_task_whose_version_is_gone_fails_and_says_so(engine, claimed, slot):
    attempt = await claimed("a")
    engine.specs.specs.clear()
    with pytest.raises(WorkflowUnknown):
        await engine.specs.get("v1")
    await run(attempt)
    task = await engine.task("a")
    assert (task["state"], task["error"]["type"], slot.jobs) == ("failed", "WorkflowUnknown", [])


async def test_a_running_attempt_is_told_to_stop_and_is_not_retried(engine, claimed, slot):
    async def fail_when_told(slot):
        await slot.told.wait()
        return Result(Outcome(Ending.ERROR, ErrorInfo("ValueError", "x")), None)

    slot.does = fail_when_told
    attempt = await claimed("a", retries=5)
    running = asyncio.create_task(run(attempt))
    await slot.begun.wait()
    attempt.tell(StopFacts(Reason.STOPPED))
    await running
    assert (await engine.task("a"))["state"] == "failed"


async def test_what_is_killed_on_purpose_ends_stopped(engine, claimed, slot):
    slot.does = until_killed
    attempt = await claimed("a")
    running = asyncio.create_task(run(attempt))
    await slot.begun.wait()
    attempt.tell(StopFacts(Reason.STOPPED, kill_in=0.0))
    await running
    assert (await engine.task("a"))["state"] == "stopped"


async def test_what_is_handed_in_at_shutdown_is_queued_again_uncounted(engine, claimed, slot):
    slot.does = until_killed
    attempt = await claimed("a")
    running = asyncio.create_task(run(attempt))
    await slot.begun.wait()
    attempt.hand_in()
    await running
    task = await engine.task("a")
    assert [each["outcome"] for each in task["attempts"]] == ["returned"]
    assert (task["state"], task["errors"], task["deaths"], task["losses"]) == ("queued", 0, 0, 0)
    assert engine.sent.to(Service.TASK_WORKER)[-1] == task["_id"]


@pytest.fixture
async def lease(engine, tools, member):
    membership = Membership(engine.db, member, 3.0)
    await membership.enter()
    take_back = TakeBack(engine.db, engine.specs, engine.sent, engine.bounds)
    return Lease(membership, tools, take_back)


async def test_an_attempt_that_was_claimed_and_never_begun_goes_back_uncounted_at_the_second_renewal(
    engine, claimed, tools, lease
):
    await claimed("a")
    tools.held.clear()  # as when the reply to the claim was lost for good
    await lease._renew()
    assert (await engine.task("a"))["state"] == "running", "its claim may be on its way"
    await lease._renew()
    task = await engine.task("a")
    assert (task["state"], task["losses"], task["attempts"]) == ("queued", 0, [])
    assert engine.sent.to(Service.TASK_WORKER)[-1] == task["_id"]


async def test_an_attempt_that_broke_off_in_its_worker_counts_as_lost(engine, claimed, tools, lease):
    tools.begun.add((await claimed("a")).claim)
    tools.held.clear()
    await lease._renew()
    await lease._renew()
    task = await engine.task("a")
    assert (task["state"], task["losses"], task["attempts"][0]["outcome"]) == ("queued", 1, "lost")
    await lease._renew()
    assert tools.begun == set()


async def test_an_attempt_that_is_claimed_while_the_record_is_read_is_left_alone(claimed, tools, lease):
    held = tools.store.held
    attempts = []

    async def claim_meanwhile():
        recorded = await held()
        attempts.append(await claimed("a"))
        return recorded

    tools.store.held = claim_meanwhile
    await lease._renew()
    assert not attempts[0].superseded


async def test_an_attempt_that_begins_while_another_is_given_back_is_known_to_have_begun(claimed, tools, lease):
    await claimed("a")
    tools.held.clear()
    await lease._renew()
    hand_back = tools.store.hand_back

    async def begin_meanwhile(*given):
        attempt = await claimed("b")
        tools.begun.add(attempt.claim)
        await hand_back(*given)

    tools.store.hand_back = begin_meanwhile
    await lease._renew()
    assert len(tools.begun) == 1


class Hesitates:
    """A store whose claims take effect, and answer when they are let; a lost reply is followed by an outage."""

    def __init__(self, store):
        self._store = store
        self.took, self.answer = asyncio.Event(), asyncio.Event()
        self.outages = []

    def __getattr__(self, name):
        return getattr(self._store, name)

    async def claim(self, *args):
        task = await self._store.claim(*args)
        self.took.set()
        await self.answer.wait()
        if self.outages:
            raise self.outages.pop()
        return task

    async def claimed_by(self, operation):
        if self.outages:
            raise self.outages.pop()
        return await self._store.claimed_by(operation)


@pytest.fixture
async def feeding(engine, tools):
    """A worker that asks for attempts of a DAG run with one task, by way of a store that hesitates."""
    run_id = await engine.begin(engine.dag_of("a"))
    await engine.scheduler.look(run_id)
    await engine.runner.look((await engine.dag_runs(run_id))[0]["_id"])
    store = Hesitates(tools.store)
    object.__setattr__(tools, "store", store)
    object.__setattr__(tools, "pool", LentPool(None, 1, lambda: None))
    worker = TaskWorker(tools, Waiting(slots=1, per_slot=1), ("task",))
    feed = asyncio.create_task(worker.feed())
    yield worker, store
    feed.cancel()


async def test_what_is_being_claimed_when_the_worker_is_told_to_end_goes_back_uncounted(engine, feeding):
    worker, store = feeding
    await asyncio.wait_for(store.took.wait(), 10.0)
    draining = asyncio.create_task(worker.drain(grace=10.0))
    await asyncio.sleep(0)
    store.answer.set()
    await draining
    task = await engine.task("a")
    assert (task["state"], task["attempts"]) == ("queued", [])


async def test_a_claim_whose_reply_was_lost_in_an_outage_is_gone_on_with_after_it(engine, feeding, slot):
    worker, store = feeding
    store.outages += [AutoReconnect("MongoDB is away")] * 3
    worker.tools.pool.slot_for = lambda version: asyncio.sleep(0, slot)
    worker.tools.pool.put_back = lambda slot: asyncio.sleep(0)
    store.answer.set()
    await asyncio.wait_for(slot.begun.wait(), 10.0)
    await worker.drain(grace=10.0)
    assert [each["outcome"] for each in (await engine.task("a"))["attempts"]] == ["succeeded"]


async def test_a_renewal_bumps_the_counter_and_keeps_what_is_run(engine, claimed, lease):
    attempt = await claimed("a")
    for _ in range(3):
        await lease._renew()
    worker = await engine.db["workers"].find_one()
    assert (worker["beat"], worker["running"]) == (3, 1)
    assert not attempt.superseded


async def test_a_worker_that_was_declared_dead_ends_what_it_runs_and_enters_under_a_new_name(engine, claimed, lease):
    attempt = await claimed("a")
    old = lease.membership.member.incarnation
    await TakeBack(engine.db, engine.specs, engine.sent, engine.bounds).from_dead(old)
    await lease._renew()
    assert attempt.superseded
    assert [worker["_id"] for worker in await engine.db["workers"].find().to_list()] != [old]
    assert await engine.db["workers"].count_documents({}) == 1


async def test_an_attempt_that_others_have_taken_is_ended_here(engine, claimed, lease):
    attempt = await claimed("a")
    await engine.db["task_runs"].update_one({"task": "a"}, {"$set": {"holder": "other", "claim": "theirs"}})
    await lease._renew()
    assert attempt.superseded


async def test_an_attempt_that_was_just_committed_is_left_alone(engine, claimed, lease, tools):
    attempt = await claimed("a")
    await engine.end(attempt.task, engine.succeeds())
    await lease._renew()
    assert not attempt.superseded


@pytest.fixture
def sweep(engine):
    """Sweeps with this timeout of the lease."""

    class Queues:
        async def is_empty(self, service, queue):
            return True

        async def forgot(self):
            return False

    class Watch:
        async def check_or_tell(self):
            pass

    def sweep(timeout):
        take_back = TakeBack(engine.db, engine.specs, engine.sent, engine.bounds)
        part = DagSweep(engine.sent, Queues(), ("dag",))
        return Sweep(engine.db, Queues(), part, LeaseWatch(timeout, gap=60), take_back, Watch(), 5.0)

    return sweep


async def test_the_sweep_takes_back_what_a_silent_worker_held(engine, claimed, lease, sweep):
    await claimed("a")
    patient, impatient = sweep(timeout=60), sweep(timeout=0)
    for _ in range(3):
        await patient.once()
    assert (await engine.task("a"))["state"] == "running"
    await impatient.once()
    assert (await engine.task("a"))["state"] == "queued"
    assert await engine.db["workers"].count_documents({}) == 0


async def test_the_sweep_takes_back_what_is_held_by_nobody_in_the_list(engine, claimed, sweep):
    await claimed("a")
    await sweep(timeout=0).once()
    assert (await engine.task("a"))["losses"] == 1


async def test_a_sweep_finds_a_worker_that_someone_else_declared_dead(engine, claimed, lease, sweep):
    await claimed("a")
    await engine.db["workers"].update_one({}, {"$set": {"dead": True}})
    await sweep(timeout=60).once()
    assert (await engine.task("a"))["state"] == "queued"


async def test_a_restarted_worker_takes_over_from_its_dead_self_and_from_no_other(engine, claimed, lease, member):
    await claimed("a")
    take_back = TakeBack(engine.db, engine.specs, engine.sent, engine.bounds)
    successor = Member(Service.TASK_WORKER, "worker@host", ("task",), "redis://", 1)
    await engine.db["workers"].insert_one({**member.document(), "_id": "elsewhere", "host": "another"})
    await engine.db["workers"].insert_one({**member.document(), "_id": "green", "name": "green@host"})
    await succeed(engine.db, successor, f"tests:{new_id()}", take_back)
    assert (await engine.task("a"))["state"] == "queued"
    assert {worker["_id"] async for worker in engine.db["workers"].find()} == {"elsewhere", "green"}
