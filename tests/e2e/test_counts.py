"""What the system asks of its servers, counted by the servers."""

from collections import Counter
from collections.abc import Iterator
from time import monotonic, sleep
from typing import Any

import pytest
from pymongo import MongoClient
from redis import Redis
from tests.e2e.support import PATIENCE, write_workflow

from lightflow.client import Client
from lightflow.config import Config
from lightflow.core.states import State
from lightflow.local.stack import Stack
from lightflow.runtime.mongo import store_uri
from lightflow.runtime.notify import signal_url

LENGTH = 50
MONGODB_PER_TASK = 12
REDIS_PER_TASK = 30
MONGODB_PER_SECOND = 3.0
REDIS_PER_SECOND = 10.0
RENEWALS = 3

CHAIN = f"""
    def nothing(data, store, signal, context):
        pass

    tasks = [PythonTask(f"task{{number}}", nothing) for number in range({LENGTH})]
    main = Dag("main", schema={{left: right for left, right in zip(tasks, tasks[1:])}})
"""
LONG = """
    def wait(data, store, signal, context):
        import select

        select.select([signal.stop_descriptor()], [], [])

    main = Dag("main", schema={PythonTask("long", wait): None})
"""


class Servers:
    """The counters of both servers; what is asked here to read them is taken off."""

    def __init__(self, db: Any, redis: "Redis[bytes]") -> None:
        self.db = db
        self.redis = redis
        self._asked = Counter({"mongodb": 0, "redis": 0})

    def read(self) -> Counter[str]:
        """The operations of MongoDB by kind, their sum, and the commands of redis, since the servers started."""
        found: Counter[str] = Counter(self.db.command("serverStatus")["opcounters"])
        self._asked.update(mongodb=1, redis=1)
        found["mongodb"] = sum(found.values()) - self._asked["mongodb"]
        found["redis"] = self.redis.info("stats")["total_commands_processed"] - self._asked["redis"]
        return found

    def beat(self, service: str) -> int:
        """How often the process of this service has renewed its lease."""
        self._asked.update(mongodb=1)
        return int(self.db["workers"].find_one({"service": service})["beat"])


@pytest.fixture(scope="module")
def system() -> Iterator[tuple[Stack, Client, Servers]]:
    with Stack.temporary(task_slots=2) as stack, Client(stack.target) as client:
        config = Config.from_file(stack.info.config)
        mongo: MongoClient[Any] = MongoClient(store_uri(config))
        with mongo, Redis.from_url(signal_url(config)) as redis:
            yield stack, client, Servers(mongo["lightflow"], redis)


def test_a_chained_task_costs_few_operations(
    system: tuple[Stack, Client, Servers], tmp_path: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    _, client, servers = system
    file = write_workflow(tmp_path, "chain", CHAIN)
    assert client.start(file).wait(PATIENCE) is State.SUCCEEDED
    before = servers.read()
    assert client.start(file).wait(PATIENCE) is State.SUCCEEDED
    spent = servers.read() - before
    with capsys.disabled():
        per_task = {kind: round(count / LENGTH, 2) for kind, count in spent.items()}
        print(f"\n  per chained task, starting and watching included: {per_task}")
    assert spent["mongodb"] / LENGTH <= MONGODB_PER_TASK
    assert spent["redis"] / LENGTH <= REDIS_PER_TASK


def test_a_system_at_rest_asks_little(
    system: tuple[Stack, Client, Servers], tmp_path: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    _, client, servers = system
    run = client.start(write_workflow(tmp_path, "long", LONG))
    while not servers.db["task_runs"].find_one({"run": run.id, "state": "running"}):
        pass
    began = beat = servers.beat("task-worker")
    while beat == began:  # from one renewal on
        beat = servers.beat("task-worker")
    before, start = servers.read(), monotonic()
    while servers.beat("task-worker") < beat + RENEWALS:
        sleep(0.05)  # MongoDB is asked whether the window is over, but not so often that it disturbs what is measured
    spent, seconds = servers.read() - before, monotonic() - start
    run.stop()
    assert run.wait(PATIENCE) is State.STOPPED
    with capsys.disabled():
        rates = {kind: round(count / seconds, 2) for kind, count in spent.items()}
        print(f"\n  a second, while one long task runs: {rates}")
    assert spent["mongodb"] / seconds <= MONGODB_PER_SECOND
    assert spent["redis"] / seconds <= REDIS_PER_SECOND
