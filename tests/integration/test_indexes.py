"""No question that is asked again and again reads more than its answer."""

import pytest

from lightflow.core.ids import new_id
from lightflow.runtime.sweep import HOLDERS
from lightflow_dag_runner.sweep import DagSweep
from lightflow_scheduler.sweep import RunSweep

SWEEPS = [
    ("task_runs", HOLDERS),
    *DagSweep(None, None, ("dag",)).questions(),
    *RunSweep(None, None, ("workflow",)).questions(),
]


async def plan(db, command):
    """What MongoDB does for a command: the stages of its plan, in one text."""
    return str(await db.command("explain", command, verbosity="queryPlanner"))


@pytest.mark.parametrize(
    ("collection", "pipeline"), SWEEPS, ids=[f"{name} {pipe[0]['$match']}" for name, pipe in SWEEPS]
)
async def test_each_question_of_the_sweep_reads_an_index(db, collection, pipeline):
    await db[collection].insert_one({"_id": "something"})
    found = await plan(db, {"aggregate": collection, "pipeline": pipeline, "cursor": {}})
    assert "IXSCAN" in found or "DISTINCT_SCAN" in found
    assert "COLLSCAN" not in found


@pytest.fixture
async def profiled(engine):
    """A database that records what is asked of it, and the plans of that."""
    run_id = await engine.begin(engine.dag_of(*"abcd", edges="a>b a>c b>d c>d"), engine.dag_of(*"e", dag="other"))
    await engine.db.command({"profile": 2, "slowms": 0})
    yield run_id
    await engine.db.command({"profile": 0})


async def test_no_step_of_a_run_reads_a_whole_collection(engine, profiled):
    for hands_over in (False, True):
        engine.hands_over = hands_over
        await engine.drive(profiled)
        profiled = await engine.begin()
    await engine.db.command({"profile": 0})
    asked = await engine.db["system.profile"].find({"planSummary": {"$exists": True}}).to_list()
    assert {entry["op"] for entry in asked} >= {"command", "query", "update"}
    assert [(entry["ns"], entry["command"]) for entry in asked if "COLLSCAN" in entry["planSummary"]] == []


async def test_a_claim_among_many_tasks_reads_one(engine):
    tasks = [
        {
            "_id": f"r{run}:main:1/{index}",
            "queue": "task",
            "python": "3.11",
            "state": state,
            "attempts": [],
            "schema": 1,
        }
        for run in range(20)
        for index, state in enumerate(("succeeded",) * 50 + ("waiting",) * 40 + ("queued",) * 10)
    ]
    await engine.db["task_runs"].insert_many(tasks)
    await engine.db["task_runs"].update_many({}, [{"$set": {"ready_at": "$$NOW"}}])
    await engine.db.command({"profile": 2, "slowms": 0})
    assert await engine.worker.claim(["task"], new_id()) is not None
    await engine.db.command({"profile": 0})
    asked = await engine.db["system.profile"].find_one({"command.findAndModify": "task_runs"})
    assert asked["docsExamined"] <= 2


async def test_a_claim_of_several_and_the_question_for_what_it_took_read_no_more_than_these(engine):
    tasks = [
        {"_id": f"r:main:1/{index}", "queue": "task", "python": "3.11", "state": state, "attempts": [], "schema": 1}
        for index, state in enumerate(("succeeded",) * 500 + ("queued",) * 100)
    ]
    await engine.db["task_runs"].insert_many(tasks)
    await engine.db["task_runs"].update_many({}, [{"$set": {"ready_at": "$$NOW"}}])
    await engine.db.command({"profile": 2, "slowms": 0})
    assert len((await engine.worker.claim_several(["task"], "operation", 8))[0]) == 8
    assert len(await engine.worker.claimed_by("operation")) == 8
    await engine.db.command({"profile": 0})
    asked = await engine.db["system.profile"].find({"ns": f"{engine.db.name}.task_runs"}).to_list()
    assert len(asked) == 10  # a question, eight steps of one command, a question
    assert max(entry["docsExamined"] for entry in asked) <= 8
