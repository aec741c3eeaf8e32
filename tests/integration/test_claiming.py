"""Claims of several attempts at once, and of one with the commit that queues it, on a real MongoDB."""

import asyncio
from dataclasses import replace

import pytest
from pymongo import UpdateMany
from pymongo.errors import BulkWriteError, WriteError

from lightflow.core.ids import new_id
from lightflow.core.states import Reason, State
from lightflow.runtime.attempts import commit, fence
from lightflow.runtime.batches import Turns
from lightflow_task_worker.ending import end_of, successor_of
from lightflow_task_worker.facts import Facts, StopFacts
from lightflow_task_worker.knowledge import Knowledge
from lightflow_task_worker.store import Commit, Committed, Take

VARYING = ("changed_at", "started_at", "ready_at")


@pytest.fixture
async def begun(engine):
    """Begin a DAG run with these tasks; its id."""

    async def begin(*names, edges=""):
        dag_run = await engine.begin_dag(engine.dag_of(*names, edges=edges))
        await engine.runner.look(dag_run)
        return dag_run

    return begin


def timeless(task):
    """A document without its times, which the server sets."""
    attempts = [{name: value for name, value in each.items() if name != "started_at"} for each in task["attempts"]]
    return {name: value for name, value in task.items() if name not in VARYING} | {"attempts": attempts}


async def test_several_are_claimed_oldest_first_and_are_as_their_documents_say(engine, begun):
    await begun(*"abcde")
    await engine.db["task_runs"].update_one({"task": "d"}, [{"$set": {"ready_at": {"$subtract": ["$ready_at", 1000]}}}])
    tasks, more = await engine.worker.claim_several(["task"], new_id(), 3)
    assert (tasks[0]["task"], len(tasks), more) == ("d", 3, True)
    recorded = {task["_id"]: timeless(task) for task in await engine.worker.held()}
    assert {task["_id"]: timeless(task) for task in tasks} == recorded


async def test_that_nothing_is_left_is_told_with_the_last_ones(engine, begun):
    await begun(*"ab")
    tasks, more = await engine.worker.claim_several(["task"], new_id(), 3)
    assert (sorted(task["task"] for task in tasks), more) == (["a", "b"], False)
    assert await engine.worker.claim_several(["task"], new_id(), 3) == ([], False)


async def test_workers_that_want_the_same_ones_share_them(engine, begun):
    names = [f"t{number}" for number in range(40)]
    await begun(*names)
    workers = [engine.worker_called(f"worker{number}") for number in range(4)]

    async def all_of(worker):
        found, more = [], True
        while more:
            tasks, more = await worker.claim_several(["task"], new_id(), 7)
            found += [task["task"] for task in tasks]
        return found

    shares = await asyncio.gather(*map(all_of, workers))
    assert sorted(name for share in shares for name in share) == sorted(names)
    for worker, share in zip(workers, shares, strict=True):
        assert sorted(task["task"] for task in await worker.held()) == sorted(share)


class Patched:
    """A collection, some of whose methods are others."""

    def __init__(self, collection, **methods):
        self.__dict__.update(methods)
        self._collection = collection

    def __getattr__(self, name):
        return getattr(self._collection, name)


async def finish(engine, task, take=None):
    """Commit a success, and claim with it."""
    dag = (await engine.specs.get(task["version"])).dag(task["dag"].rpartition(":")[0])
    end = end_of(task, dag, engine.succeeds(), engine.bounds, False)
    take = Take(successor_of(task, dag, 1), new_id()) if take is None else take
    return await engine.worker.commit(task, dag, end, None, take)


async def test_a_successor_is_claimed_in_the_command_that_queues_it(engine, begun):
    dag_run = await begun(*"ab", edges="a>b")
    committed = await finish(engine, await engine.worker.claim(["task"], new_id()))
    (held,) = await engine.worker.held()
    assert (committed.accepted, committed.whole, timeless(committed.taken)) == (True, True, timeless(held))
    assert await engine.states(dag_run) == {"a": "succeeded", "b": "running"}


async def test_a_refused_outcome_claims_nothing(engine, begun):
    dag_run = await begun(*"ab", edges="a>b")
    task = await engine.worker.claim(["task"], new_id())
    committed = await finish(engine, {**task, "claim": "another"})
    assert (committed.accepted, committed.taken) == (False, None)
    assert await engine.states(dag_run) == {"a": "running", "b": "waiting"}


async def test_a_successor_that_no_longer_waits_is_not_claimed_and_that_is_told(engine, begun):
    dag_run = await begun(*"ab", edges="a>b")
    task = await engine.worker.claim(["task"], new_id())
    await engine.db["task_runs"].update_one({"task": "b"}, {"$set": {"state": "stopped"}})
    committed = await finish(engine, task)
    assert (committed.accepted, committed.whole, committed.taken) == (True, False, None)
    assert await engine.states(dag_run) == {"a": "succeeded", "b": "stopped"}


async def test_outcomes_that_go_together_take_their_successors_along(engine, begun):
    dag_run = await begun(*"abcd", edges="a>b c>d")
    tasks, _ = await engine.worker.claim_several(["task"], new_id(), 2)
    dag = (await engine.specs.get(tasks[0]["version"])).dag("main")
    takes = [Take(successor_of(task, dag, task["index"] + 1), new_id()) for task in tasks]
    bulk_write, commands = engine.worker._task_runs.bulk_write, []

    async def counted(steps, **options):
        commands.append(len(steps))
        return await bulk_write(steps, **options)

    engine.worker._task_runs = Patched(engine.worker._task_runs, bulk_write=counted)
    late = {**tasks[0], "claim": "another"}
    committed = await asyncio.gather(
        *(finish(engine, task, take) for task, take in zip([late, *tasks], [takes[0], *takes], strict=True))
    )
    assert [each.accepted for each in committed] == [False, True, True]
    assert [each.taken["task"] for each in committed[1:]] == ["b", "d"]
    assert commands == [12, 8], "what is behind a refused one goes into another command"
    assert await engine.states(dag_run) == {"a": "succeeded", "b": "running", "c": "succeeded", "d": "running"}


async def test_what_broke_off_half_way_lets_no_other_outcome_pass_for_whole(engine, begun):
    await begun(*"abcd", edges="a>b c>d")
    tasks, _ = await engine.worker.claim_several(["task"], new_id(), 2)
    dag = (await engine.specs.get(tasks[0]["version"])).dag("main")
    ends = [end_of(task, dag, engine.succeeds(), engine.bounds, False) for task in tasks]
    changes = [commit(task, dag, end.outcome, end.settlement, None) for task, end in zip(tasks, ends, strict=True)]
    nothing = UpdateMany({"_id": "nothing"}, {"$set": {"state": "queued"}})
    broken = UpdateMany({"_id": tasks[1]["_id"]}, [{"$set": {"output": {"$divide": [1, 0]}}}])
    results = await engine.worker.commit_several(
        [Commit(fence(tasks[0]), changes[0], [nothing], 2), Commit(fence(tasks[1]), changes[1], [broken], 2)]
    )
    assert (results[0], type(results[1])) == (Committed(True, whole=False), BulkWriteError)


async def test_what_is_claimed_is_in_the_name_that_went_with_the_command(engine, begun):
    await begun(*"ab", edges="a>b")
    worker = engine.worker
    task, name = await worker.claim(["task"], new_id()), worker._member.incarnation
    commit_several = worker.commit_several

    async def reborn(commits):
        made = await commit_several(commits)
        worker._member = replace(worker._member, incarnation="another")
        return made

    worker._commits.make = reborn
    committed = await finish(engine, task)
    assert committed.taken["holder"] == name
    assert not worker.is_mine(committed.taken)


async def test_outcomes_that_go_together_share_no_fate(engine, begun):
    dag_run = await begun(*"abc")
    tasks, _ = await engine.worker.claim_several(["task"], new_id(), 3)
    dag = (await engine.specs.get(tasks[0]["version"])).dag("main")
    late, broken, good = tasks
    commits = []
    for task in ({**late, "claim": "another"}, broken, good):
        end = end_of(task, dag, engine.succeeds(), engine.bounds, False)
        change = commit(task, dag, end.outcome, end.settlement, None)
        if task is broken:
            change[0]["$set"]["output"] = {"$divide": [1, 0]}
        commits.append(Commit(fence(task), change))
    results = await engine.worker.commit_several(commits)
    assert (results[0], type(results[1]), results[2]) == (
        Committed(False, whole=False),
        WriteError,
        Committed(True),
    )
    states = await engine.states(dag_run)
    assert [states[task["task"]] for task in tasks] == ["running", "running", "succeeded"]


class Counting(Facts):
    """Facts that count how often they are asked for."""

    asked = 0

    def __init__(self, db, turns):
        super().__init__(db, turns)
        self.parents = []

    async def circumstances(self, task, parents):
        self.asked += 1
        self.parents.append(len(parents))
        return await super().circumstances(task, parents)


@pytest.fixture
async def known(engine):
    """A worker's knowledge, and the second of two tasks after one that has ended with an output."""
    run_id = await engine.begin(engine.dag_of(*"abc", edges="a>b a>c"))
    await engine.scheduler.look(run_id)
    await engine.runner.look(f"{run_id}:main:1")
    first = await engine.worker.claim(["task"], new_id())
    dag = (await engine.specs.get(first["version"])).dag("main")
    await engine.end(first, engine.succeeds())
    await engine.runner.look(first["dag_run"])
    facts = Counting(engine.db, Turns())
    heard = {"hears": True}
    knowledge = Knowledge(facts, lambda: heard["hears"])
    tasks, _ = await engine.worker.claim_several(["task"], new_id(), 2)
    return knowledge, facts, heard, tasks, dag


async def test_what_is_known_is_not_asked_again(known):
    knowledge, facts, _, tasks, dag = known
    found = [await knowledge.circumstances(task, dag) for task in tasks]
    assert found[0] == found[1]
    assert found[0].states == {0: State.SUCCEEDED}
    assert facts.asked == 1


@pytest.mark.parametrize("why", ["something is to stop", "nobody could be heard"])
async def test_whether_a_dag_run_goes_on_is_asked_again_when(known, why):
    knowledge, facts, heard, tasks, dag = known
    await knowledge.circumstances(tasks[0], dag)
    assert knowledge.goes_on(tasks[0]["dag_run"])
    if why == "something is to stop":
        knowledge.forget()
    else:
        heard["hears"] = False
    assert not knowledge.goes_on(tasks[0]["dag_run"])
    found = await knowledge.circumstances(tasks[1], dag)
    assert found.states == {0: State.SUCCEEDED}
    assert facts.parents == [1, 0], "how the task before ended is known already"


async def test_what_was_asked_before_a_stop_was_told_is_not_believed_after_it(known):
    knowledge, facts, _, tasks, dag = known
    asking = asyncio.create_task(knowledge.circumstances(tasks[0], dag))
    await asyncio.sleep(0)
    knowledge.forget()
    await asking
    assert (facts.asked, knowledge.goes_on(tasks[0]["dag_run"])) == (1, False)


async def test_what_is_asked_ahead_is_not_asked_by_each_attempt(engine):
    for _ in range(3):
        run_id = await engine.begin(engine.dag_of("a"))
        await engine.scheduler.look(run_id)
        await engine.runner.look(f"{run_id}:main:1")
    tasks, _ = await engine.worker.claim_several(["task"], new_id(), 3)
    dag = (await engine.specs.get(tasks[0]["version"])).dag("main")
    facts = Counting(engine.db, Turns())
    knowledge = Knowledge(facts, lambda: True)
    await engine.db["dag_runs"].update_one({"_id": tasks[2]["dag_run"]}, {"$set": {"stop": "stopped"}})
    await knowledge.ask_ahead(task["dag_run"] for task in tasks)
    found = [await knowledge.circumstances(task, dag) for task in tasks]
    assert [each.stop.reason for each in found] == [None, None, Reason.STOPPED]
    assert facts.asked == 1, "only the one that is to stop is asked about again"


@pytest.fixture
async def root(engine):
    """The only task of a DAG run, claimed."""
    run_id = await engine.begin(engine.dag_of("a"))
    await engine.scheduler.look(run_id)
    await engine.runner.look(f"{run_id}:main:1")
    task = await engine.worker.claim(["task"], new_id())
    return task, (await engine.specs.get(task["version"])).dag("main")


async def test_an_attempt_waits_for_what_is_being_asked_ahead(engine, root):
    task, dag = root
    facts = Counting(engine.db, Turns())
    knowledge = Knowledge(facts, lambda: True)
    ahead = asyncio.create_task(knowledge.ask_ahead([task["dag_run"]]))
    await asyncio.sleep(0)
    found = await asyncio.gather(*(knowledge.circumstances(task, dag) for _ in range(3)))
    await ahead
    assert facts.asked == 0
    assert found == [found[0]] * 3
    assert found[0].stop == StopFacts()


async def test_an_attempt_asks_for_itself_when_what_was_asked_ahead_gets_no_answer(engine, root):
    task, dag = root

    class Away(Counting):
        async def of_dag_runs(self, dag_runs):
            await asyncio.sleep(0)
            raise ConnectionError

    knowledge = Knowledge(Away(engine.db, Turns()), lambda: True)
    knowledge.facts._of_roots = Facts(engine.db, Turns())._of_roots
    ahead = asyncio.create_task(knowledge.ask_ahead([task["dag_run"]]))
    await asyncio.sleep(0)
    assert (await knowledge.circumstances(task, dag)).stop == StopFacts()
    assert knowledge.facts.asked == 1
    with pytest.raises(ConnectionError):
        await ahead


async def test_a_run_that_is_not_recorded_as_begun_is_not_taken_for_one_that_goes_on(engine, root):
    task, dag = root
    knowledge = Knowledge(Facts(engine.db, Turns()), lambda: True)
    await engine.db["runs"].update_one({"_id": task["run"]}, {"$set": {"state": "pending"}})
    assert (await knowledge.circumstances(task, dag)).stop.too_early
    assert not knowledge.goes_on(task["dag_run"])
    await engine.db["runs"].update_one({"_id": task["run"]}, {"$set": {"state": "running"}})
    assert (await knowledge.circumstances(task, dag)).stop == StopFacts()
    assert knowledge.goes_on(task["dag_run"])
