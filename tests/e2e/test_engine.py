"""Three real services when things go wrong, and when little room is left."""

import json
import os
import re
import select
import signal
import threading
from base64 import b64decode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient
from redis import Redis
from tests.e2e.support import PATIENCE, write_workflow

from lightflow.client import Client, Run
from lightflow.config import Config
from lightflow.core.states import Service, State
from lightflow.local.stack import Stack
from lightflow.runtime.broker import HINT, make_app, queue_list
from lightflow.runtime.mongo import store_uri
from lightflow.runtime.notify import signal_url

GATED = """
    import os

    def hold(data, store, signal, context):
        # Says that it began, and goes on when it is told: a pipe holds it without looking again and again.
        with open({begun!r}, "w") as begun:
            begun.write(context.task_name + "\\n")
        descriptor = os.open({gate!r}, os.O_RDONLY)
        os.read(descriptor, 1)

    def short(data, store, signal, context):
        data["by"] = context.worker_hostname
"""


@dataclass
class System:
    """A stack, its client, and the records of its servers."""

    stack: Stack
    client: Client
    db: Any
    redis: "Redis[bytes]"
    folder: Path

    def pid(self, name: str) -> int:
        """The process id of one of its processes right now."""
        return self.stack.process(name).pid

    def is_back(self, name: str, dead: int) -> bool:
        """Whether another process took the place of a dead one and serves."""
        process = self.stack.process(name)
        return process.pid != dead and process.state == "running"

    def start(self, workflow: str, body: str, **arguments: Any) -> Run:
        """Start a workflow with this body."""
        return self.client.start(write_workflow(self.folder, workflow, body), **arguments)

    def tasks(self, run: Run) -> dict[str, Any]:
        """The documents of the tasks of a run, by name."""
        return {task["task"]: task for task in self.db["task_runs"].find({"run": run.id})}

    def until(self, condition: Callable[[], Any]) -> Any:
        """What the condition yields once it holds."""
        done = threading.Event()
        timer = threading.Timer(PATIENCE, done.set)
        timer.start()
        try:
            while not (found := condition()):
                assert not done.is_set(), "waited in vain"
            return found
        finally:
            timer.cancel()


class Gate:
    """Tasks that say when they begin, and wait until they are let go on."""

    def __init__(self, folder: Path) -> None:
        self.begun, self.gate = str(folder / "begun"), str(folder / "gate")
        self._descriptors = []
        for path in (self.begun, self.gate):
            os.mkfifo(path)
            self._descriptors.append(os.open(path, os.O_RDWR))
        self._read = b""

    @property
    def body(self) -> str:
        """The functions `hold` and `short` for a workflow file."""
        return GATED.format(begun=self.begun, gate=self.gate)

    def wait(self, count: int = 1) -> list[str]:
        """The names of the next tasks that began."""
        while self._read.count(b"\n") < count:
            ready, _, _ = select.select([self._descriptors[0]], [], [], PATIENCE)
            assert ready, "no task began"
            self._read += os.read(self._descriptors[0], 4096)
        *names, self._read = self._read.split(b"\n", count)
        return [name.decode() for name in names]

    def open(self, count: int = 1) -> None:
        """Let so many tasks go on."""
        os.write(self._descriptors[1], b"x" * count)

    def close(self) -> None:
        for descriptor in self._descriptors:
            os.close(descriptor)


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[Gate]:
    gate = Gate(tmp_path)
    yield gate
    gate.close()


@contextmanager
def running(folder: Path, **options: Any) -> Iterator[System]:
    with Stack.temporary(**options) as stack, Client(stack.target) as client:
        config = Config.from_file(stack.info.config)
        mongo: MongoClient[Any] = MongoClient(store_uri(config))
        with mongo, Redis.from_url(signal_url(config)) as redis:
            yield System(stack, client, mongo["lightflow"], redis, folder)


@pytest.fixture(scope="module")
def pair_of_workers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """Two task workers of one slot each."""
    with running(tmp_path_factory.mktemp("flows"), task_slots=1, replicas={"task-worker": 2}) as system:
        yield system


@pytest.fixture(scope="module")
def one_slot(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """One task worker of one slot, of which at the most three tasks may wait."""
    folder = tmp_path_factory.mktemp("flows")
    config = folder / "lightflow.cfg"
    config.write_text("engine:\n  join_cap: 3\n  shutdown_grace: 2.0\n")
    with running(folder, task_slots=1, config=str(config)) as system:
        yield system


SECRET = "x7Rq-never-on-redis"
SAYS_SECRETS = f"""
    def first(data, store, signal, context):
        data["value"] = store.get("name") + {SECRET!r}
        store.set("other", data["value"])
        print(data["value"])
        signal.join_dags([signal.start_dag(sub, data=data)])
        return Action(data)

    def last(data, store, signal, context):
        raise StopTask({SECRET!r})

    parameters = Parameters([Option("name", type=str)])
    one, two, three = PythonTask("one", first), PythonTask("two", last), PythonTask("three", last)
    main = Dag("main", schema={{one: {{two: "alias"}}}})
    sub = Dag("sub", autostart=False, schema={{three: None}})
"""


WORD = re.compile(r'"((?:[^"\\]|\\.)*)"')


class Monitor:
    """What redis is told, word by word."""

    def __init__(self, redis: "Redis[bytes]") -> None:
        self._redis = redis
        self._connection = redis.connection_pool.get_connection()
        self._connection.send_command("MONITOR")
        self._connection.read_response()

    def end(self) -> list[list[str]]:
        """The commands until now, each as its words."""
        self._redis.echo("the end")
        commands = []
        while True:
            line = self._connection.read_response().decode()
            words = [word.encode().decode("unicode_escape") for word in WORD.findall(line)]
            if "the end" in words:
                self._connection.disconnect()
                return commands
            commands.append(words)


def test_only_ids_travel_through_redis(pair_of_workers: System) -> None:
    monitor = Monitor(pair_of_workers.redis)
    run = pair_of_workers.start("telling", SAYS_SECRETS, name=f"name-{SECRET}")
    assert run.wait(PATIENCE) is State.SUCCEEDED
    seen = monitor.end()
    assert not [words for words in seen if any(SECRET in word for word in words)]
    hints = [json.loads(words[-1]) for words in seen if words[0] == "LPUSH" and run.id in _body(words)]
    assert {hint["content-type"] for hint in hints} == {"application/json"}
    for (hint,), keywords, _ in [json.loads(b64decode(hint["body"])) for hint in hints]:
        assert (set(hint), hint["v"], keywords) == ({"v", "ids"}, 1, {})
        assert all(id_.startswith(run.id) for id_ in hint["ids"])
    looks = [
        look
        for words in seen
        if words[0] == "PUBLISH" and words[1] in ("lightflow:look", "lightflow:progress")
        for look in json.loads(words[2])
    ]
    assert {"run", "log"} <= {look["kind"] for look in looks}
    assert {key for look in looks for key in look} <= {"kind", "run", "dag", "task", "load", "state", "worker"}


def _body(words: list[str]) -> str:
    return b64decode(json.loads(words[-1])["body"]).decode()


def test_short_tasks_run_on_one_worker_while_a_long_one_runs_on_the_other(pair_of_workers: System, gate: Gate) -> None:
    long = pair_of_workers.start("long", gate.body + "    main = Dag('main', schema={PythonTask('long', hold): None})")
    assert gate.wait() == ["long"]
    tasks = "{PythonTask(f'short{number}', short): None for number in range(10)}"
    short = pair_of_workers.start("short", f"{gate.body}    main = Dag('main', schema={tasks})")
    assert short.wait(PATIENCE) is State.SUCCEEDED
    assert long.state is State.RUNNING
    gate.open()
    assert long.wait(PATIENCE) is State.SUCCEEDED
    busy = pair_of_workers.tasks(long)["long"]["attempts"][0]["incarnation"]
    assert {task["attempts"][0]["incarnation"] for task in pair_of_workers.tasks(short).values()}.isdisjoint({busy})


CHAIN = """
    tasks = [PythonTask(f"task{number}", hold if number == 2 else short) for number in range(5)]
    main = Dag("main", schema={left: right for left, right in zip(tasks, tasks[1:])})
"""


@pytest.mark.parametrize("service", ["scheduler", "dag-runner", "task-worker"])
def test_a_run_survives_the_death_of_any_service(one_slot: System, gate: Gate, service: str) -> None:
    run = one_slot.start("chain", gate.body + CHAIN)
    assert gate.wait() == ["task2"]
    dead = one_slot.pid(service)
    os.kill(dead, signal.SIGKILL)
    one_slot.until(lambda: one_slot.is_back(service, dead))
    if service == "task-worker":
        assert gate.wait() == ["task2"], "it runs again"
    gate.open()
    assert run.wait(PATIENCE) is State.SUCCEEDED
    tasks = one_slot.tasks(run)
    assert [each["outcome"] for each in tasks["task2"]["attempts"]][-1] == "succeeded"
    assert tasks["task2"]["losses"] == (service == "task-worker")
    assert all(len(task["attempts"]) == 1 for name, task in tasks.items() if name != "task2")


def test_a_run_survives_the_loss_of_all_that_redis_knew(one_slot: System, gate: Gate) -> None:
    run = one_slot.start("chain", gate.body + CHAIN)
    assert gate.wait() == ["task2"]
    events = one_slot.client.events(run.id)
    one_slot.redis.flushall()
    gate.open()
    assert run.wait(PATIENCE) is State.SUCCEEDED
    assert all(len(task["attempts"]) == 1 for task in one_slot.tasks(run).values())
    ends = [event.name for event in events if event.state == "succeeded"]
    assert sorted(ends) == ["chain", "main:1", "task2", "task3", "task4"], "each end is told, and told once"


def test_hints_doubled_a_thousandfold_change_nothing(one_slot: System, gate: Gate) -> None:
    run = one_slot.start("chain", gate.body + CHAIN)
    assert gate.wait() == ["task2"]
    app = make_app(Config.from_file(one_slot.stack.info.config), "test")
    for service, queue, id_ in (
        (Service.SCHEDULER, "workflow", run.id),
        (Service.DAG_RUNNER, "dag", f"{run.id}:main:1"),
        (Service.TASK_WORKER, "task", f"{run.id}:main:1/2"),
        (Service.TASK_WORKER, "task", f"{run.id}:main:1/3"),
    ):
        app.send_task(HINT, args=({"v": 1, "ids": [id_, f"{id_}-forged"]},), queue="doubled")
        message = one_slot.redis.rpop("doubled")
        one_slot.redis.lpush(queue_list(service, queue), *[message] * 1000)
    gate.open()
    assert run.wait(PATIENCE) is State.SUCCEEDED
    assert all(len(task["attempts"]) == 1 for task in one_slot.tasks(run).values())


def test_a_worker_that_is_told_to_end_lets_its_task_finish(one_slot: System, gate: Gate) -> None:
    run = one_slot.start("chain", gate.body + CHAIN)
    assert gate.wait() == ["task2"]
    told = one_slot.pid("task-worker")
    os.kill(told, signal.SIGTERM)
    gate.open()
    assert run.wait(PATIENCE) is State.SUCCEEDED
    tasks = one_slot.tasks(run)
    assert all(len(task["attempts"]) == 1 for task in tasks.values())
    one_slot.until(lambda: one_slot.is_back("task-worker", told))


def test_what_does_not_finish_in_the_grace_runs_again_uncounted(one_slot: System, gate: Gate) -> None:
    run = one_slot.start("chain", gate.body + CHAIN)
    assert gate.wait() == ["task2"]
    os.kill(one_slot.pid("task-worker"), signal.SIGTERM)
    assert gate.wait() == ["task2"], "it runs again"
    gate.open()
    assert run.wait(PATIENCE) is State.SUCCEEDED
    task = one_slot.tasks(run)["task2"]
    assert [each["outcome"] for each in task["attempts"]] == ["returned", "succeeded"]
    assert (task["errors"], task["deaths"], task["losses"]) == (0, 0, 0)


def test_three_deaths_of_its_process_fail_a_task_and_the_error_names_the_signal(one_slot: System) -> None:
    body = """
    def die(data, store, signal, context):
        import os

        os.kill(os.getpid(), 9)

    main = Dag("main", schema={PythonTask("dies", die): None})
    """
    run = one_slot.start("dies", body)
    assert run.wait(PATIENCE) is State.FAILED
    assert run.error is not None
    assert "SIGKILL" in run.error.message
    assert "3 times" in run.error.message
    assert len(one_slot.tasks(run)["dies"]["attempts"]) == 3


JOINS = """
    def deeper(data, store, signal, context):
        level = data["level"]
        if level < {depth}:
            data["level"] = level + 1
            signal.join_dags([signal.start_dag(nested, data=data)])

    def begin(data, store, signal, context):
        data["level"] = 1
        signal.join_dags([signal.start_dag({dag}, data=data) for _ in range({width})])

    def leaf(data, store, signal, context):
        pass

    main = Dag("main", schema={{PythonTask("begin", begin): None}})
    nested = Dag("nested", autostart=False, schema={{PythonTask("deeper", deeper): None}})
    flat = Dag("flat", autostart=False, schema={{PythonTask("leaf", leaf): None}})
"""


def test_a_task_that_joins_five_dags_lends_them_its_only_slot(one_slot: System) -> None:
    run = one_slot.start("joins", JOINS.format(depth=1, width=5, dag="flat"))
    assert run.wait(PATIENCE) is State.SUCCEEDED
    assert one_slot.db["task_runs"].count_documents({"run": run.id, "task": "leaf", "state": "succeeded"}) == 5


def test_joins_within_joins_share_one_slot(one_slot: System) -> None:
    run = one_slot.start("joins", JOINS.format(depth=3, width=1, dag="nested"))
    assert run.wait(PATIENCE) is State.SUCCEEDED, run.error


def test_the_join_that_is_one_too_many_is_refused_and_names_the_setting(one_slot: System) -> None:
    run = one_slot.start("joins", JOINS.format(depth=6, width=1, dag="nested"))
    assert run.wait(PATIENCE) is State.FAILED
    assert run.error is not None
    assert "engine.join_cap" in run.error.message
    assert one_slot.start("after", JOINS.format(depth=1, width=2, dag="flat")).wait(PATIENCE) is State.SUCCEEDED


def test_at_the_cap_what_waits_goes_on_before_more_of_its_kind_begin(one_slot: System) -> None:
    body = """
    def begin(data, store, signal, context):
        signal.join_dags([signal.start_dag(wide)])

    def wait(data, store, signal, context):
        for _ in range(2):
            signal.join_dags([signal.start_dag(flat)])

    main = Dag("main", schema={PythonTask("begin", begin): None})
    wide = Dag("wide", autostart=False, schema={PythonTask(f"wait{n}", wait): None for n in range(6)})
    flat = Dag("flat", autostart=False, schema={PythonTask("leaf"): None})
    """
    run = one_slot.start("wide", body)
    assert run.wait(PATIENCE) is State.SUCCEEDED, run.error
    assert one_slot.db["task_runs"].count_documents({"run": run.id, "task": "leaf", "state": "succeeded"}) == 12


def test_a_run_that_is_stopped_starts_nothing_more(one_slot: System, gate: Gate) -> None:
    run = one_slot.start("chain", gate.body + CHAIN)
    assert gate.wait() == ["task2"]
    run.stop()
    gate.open()
    assert run.wait(PATIENCE) is State.STOPPED
    states = {name: task["state"] for name, task in one_slot.tasks(run).items()}
    assert states == {
        "task0": "succeeded",
        "task1": "succeeded",
        "task2": "succeeded",
        "task3": "stopped",
        "task4": "stopped",
    }
