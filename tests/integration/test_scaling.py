"""What Kubernetes scales task-workers by: the query of the autoscaler, asked as it asks it, of a real MongoDB."""

import json
from pathlib import Path

import pytest
import yaml
from bson import json_util

from lightflow.core.ids import new_id
from lightflow.runtime.membership import PYTHON

FILE = Path(__file__).parents[2] / "deploy/kubernetes/autoscaling/keda/scaledobject.yaml"


@pytest.fixture
def work(db):
    """Asks how many attempts there are to run: it counts documents, by a query in MongoDB's extended JSON."""
    (trigger,) = yaml.safe_load(FILE.read_text())["spec"]["triggers"]
    metadata = trigger["metadata"]
    query = json_util.loads(metadata["query"].replace('"3.11"', json.dumps(PYTHON)))

    async def count() -> int:
        return await db[metadata["collection"]].count_documents(query)

    count.query = query
    return count


async def test_attempts_that_wait_and_those_that_run_count(engine, work):
    dag_run = await engine.begin_dag(engine.dag_of(*"abcd", edges="a>d"))
    assert await work() == 0
    await engine.runner.look(dag_run)
    assert await work() == 3
    task = await engine.worker.claim(["task"], new_id())
    assert await work() == 3
    await engine.end(task, engine.succeeds())
    assert await work() == 2
    await engine.drive_dag(dag_run)
    assert await work() == 0


async def test_what_no_worker_could_begin_now_does_not_count(engine, work):
    dag = engine.dag_of("later", retries=1, retry_delay=3600.0)
    await engine.runner.look(await engine.begin_dag(dag))
    await engine.end(await engine.worker.claim(["task"], new_id()), engine.fails())
    assert (await engine.task("later"))["state"] == "queued"
    assert await work() == 0

    await engine.runner.look(await engine.begin_dag(engine.dag_of("elsewhere", queue="nightly")))
    assert await work() == 0

    await engine.runner.look(await engine.begin_dag(engine.dag_of("old"), python="3.1"))
    assert (await engine.task("old"))["state"] == "queued"
    assert await work() == 0


async def test_the_question_reads_an_index(engine, work):
    await engine.runner.look(await engine.begin_dag(engine.dag_of("a")))
    pipeline = [{"$match": work.query}, {"$group": {"_id": 1, "n": {"$sum": 1}}}]
    command = {"aggregate": "task_runs", "pipeline": pipeline, "cursor": {}}
    plan = str(await engine.db.command("explain", command, verbosity="queryPlanner"))
    assert "'queued'" in plan
    assert "'held'" in plan
    assert "COLLSCAN" not in plan
