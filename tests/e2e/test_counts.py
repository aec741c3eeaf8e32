"""What the system asks of its servers, counted by the servers: commands, of which one may carry many writes."""

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
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
from lightflow.runtime.sources import gather

LENGTH, WIDTH, RUNS, TOGETHER = 50, 200, 20, 100
SHARED = {"mongodb": 12.0, "redis": 10.0}
"""The most that each of many runs costs that are started together, without loading its file."""
MONGODB_PER_SECOND = 3.0
REDIS_PER_SECOND = 10.0
RENEWALS = 3

CHAIN = f"""
    def nothing(data, store, signal, context):
        pass

    tasks = [PythonTask(f"task{{number}}", nothing) for number in range({LENGTH})]
    main = Dag("main", schema={{left: right for left, right in zip(tasks, tasks[1:])}})
"""
FAN = f"""
    def nothing(data, store, signal, context):
        pass

    first, last = PythonTask("first", nothing), PythonTask("last", nothing)
    middle = [PythonTask(f"task{{number}}", nothing) for number in range({WIDTH})]
    main = Dag("main", schema={{first: middle, **dict.fromkeys(middle, last)}})
"""
TWO = """
    def nothing(data, store, signal, context):
        pass

    main = Dag("main", schema={PythonTask("one", nothing): PythonTask("two", nothing)})
"""
BOUNDS = {
    "chain": (CHAIN, LENGTH, 1, {"mongodb": 3.0, "redis": 4.0}),
    "fan": (FAN, WIDTH, 1, {"mongodb": 3.0, "redis": 4.0}),
    "two": (TWO, RUNS, RUNS, {"mongodb": 45.0, "redis": 40.0}),
}
"""What is run, how many tasks or runs the cost is shared by, how many runs at once, and the most that each may cost."""
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
        """The commands of MongoDB by kind, their sum, and those of redis, since the servers started."""
        told = self.db.command("serverStatus")["metrics"]["commands"]
        found = Counter({name: each["total"] for name, each in told.items() if isinstance(each, dict)})
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


@pytest.mark.parametrize("name", BOUNDS)
def test_work_costs_few_commands(
    name: str, system: tuple[Stack, Client, Servers], tmp_path: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    _, client, servers = system
    body, shares, runs, bounds = BOUNDS[name]
    file = write_workflow(tmp_path, name, body)
    assert client.start(file).wait(PATIENCE) is State.SUCCEEDED
    before = servers.read()
    begun = [client.start(file) for _ in range(runs)]
    assert [run.wait(PATIENCE) for run in begun] == [State.SUCCEEDED] * runs
    spent = servers.read() - before
    with capsys.disabled():
        each = {kind: round(count / shares, 2) for kind, count in spent.items() if count > shares / 50}
        print(f"\n  {name}, each, starting and waiting included: {each}")
    assert {kind: spent[kind] / shares for kind, bound in bounds.items() if spent[kind] / shares > bound} == {}


def test_runs_that_come_together_share_commands(
    system: tuple[Stack, Client, Servers], tmp_path: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    _, client, servers = system
    file = write_workflow(tmp_path, "together", TWO)
    client._control.deploy_workflow(upload=client._control.upload_workflow(file.stem, gather(file)))
    assert client.start(file.stem).wait(PATIENCE) is State.SUCCEEDED
    before = servers.read()
    with ThreadPoolExecutor(8) as callers:
        begun = list(callers.map(lambda _: client.start(file.stem), range(TOGETHER)))
    assert [run.wait(PATIENCE) for run in begun] == [State.SUCCEEDED] * TOGETHER
    spent = servers.read() - before
    with capsys.disabled():
        print(f"\n  together, each: { ({kind: round(spent[kind] / TOGETHER, 2) for kind in SHARED}) }")
    assert {kind: spent[kind] / TOGETHER for kind, bound in SHARED.items() if spent[kind] / TOGETHER > bound} == {}


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
