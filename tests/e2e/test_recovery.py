"""What is killed while a run goes on: nothing of it is left, and the run ends as if nothing had happened."""

import os
import select
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient
from redis import Redis
from tests.e2e.support import PATIENCE, Cli, gone, seen, write_workflow

from lightflow.client import Client
from lightflow.config import Config
from lightflow.local.stack import Stack
from lightflow.runtime.mongo import store_uri
from lightflow.runtime.notify import signal_url

WORKER = "task-worker"
# A worker may be without MongoDB for as long as a mongod takes to come back on a busy machine.
TIMES = """
engine:
  lease_interval: 0.3
  lease_timeout: 20.0
  self_fence: 15.0
  sweep_interval: 0.5
"""


def kill(stack: Stack, name: str) -> None:
    """End a process of the stack as a crash would; redis forgets everything before."""
    if name == "redis":
        with Redis.from_url(signal_url(Config.from_file(stack.info.config))) as redis:
            redis.flushall()
    pid = stack.process(name).pid
    assert pid is not None, f"{name} is not up"
    os.kill(pid, signal.SIGKILL)


class Gate:
    """Holds tasks that read a byte from it, each until it is let go on."""

    def __init__(self, path: Path) -> None:
        os.mkfifo(path)
        self.path = str(path)
        self._descriptor = os.open(path, os.O_RDWR)  # also a reader, so that no byte is lost

    def open(self, count: int = 1) -> None:
        """Let so many tasks go on."""
        os.write(self._descriptor, b"x" * count)

    def close(self) -> None:
        os.close(self._descriptor)


class Told:
    """Lines that tasks write into a named pipe; a reader waits for them without looking again and again."""

    def __init__(self, path: Path) -> None:
        os.mkfifo(path)
        self.path = str(path)
        self._descriptor = os.open(path, os.O_RDWR)  # also a writer, so that the pipe never ends
        self._read = b""

    def pids(self, count: int) -> list[int]:
        """The next so many process ids that tasks told."""
        while self._read.count(b"\n") < count:
            ready, _, _ = select.select([self._descriptor], [], [], PATIENCE)
            assert ready, f"only {self._read!r} was told"
            self._read += os.read(self._descriptor, 4096)
        *lines, self._read = self._read.split(b"\n", count)
        return [int(line) for line in lines]

    def close(self) -> None:
        os.close(self._descriptor)


@pytest.fixture
def told(tmp_path: Path) -> Iterator[Told]:
    told = Told(tmp_path / "told")
    yield told
    told.close()


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[Gate]:
    gate = Gate(tmp_path / "gate")
    yield gate
    gate.close()


@pytest.fixture(scope="module")
def quick_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A system whose processes are missed soon; tests kill them, one after the other."""
    config = tmp_path_factory.mktemp("config") / "lightflow.cfg"
    config.write_text(TIMES)
    with Stack.temporary(task_slots=2, config=str(config)) as stack:
        yield stack


@pytest.fixture
def client(quick_stack: Stack) -> Iterator[Client]:
    with Client(quick_stack.target) as connected:
        yield connected


TELL = """
    import ctypes, os, re

    def tell(data, store, signal, context):
        with open({told!r}, "w") as told:
            told.write(str(os.getpid()) + "\\n")
"""

SHELL = """
    COMMAND = "echo $$ > {told}; sleep 1000 & echo $! > {told}; setsid sh -c 'echo $$ > {told}; exec sleep 1000'"

    def begin(data, store, signal, context):
        data["command"] = COMMAND if context.attempt == 1 else "echo done"
        if context.attempt == 1:
            tell(data, store, signal, context)

    def on_line(line, data, store, signal, context):
        print(line, end="")

    hard = BashTask("hard", lambda data, store: data["command"], callback_init=begin, callback_stdout=on_line)
    main = Dag("main", schema={{hard: None}})
"""

HOLDS_THE_INTERPRETER = """
    def hard(data, store, signal, context):
        if context.attempt == 1:
            tell(data, store, signal, context)
            [held]
        print("done")

    main = Dag("main", schema={{PythonTask("hard", hard): None}})
"""

HARD_TO_END = {
    "a shell with a session of its own": (SHELL, 4),
    "a C call that keeps the interpreter": (
        HOLDS_THE_INTERPRETER.replace("[held]", "ctypes.PyDLL(None).sleep(1000)"),
        1,
    ),
    "a search that takes for ever": (HOLDS_THE_INTERPRETER.replace("[held]", 're.match("(a+)+$", "a" * 64 + "b")'), 1),
}


@pytest.mark.parametrize("what", HARD_TO_END)
def test_two_seconds_after_the_death_of_a_worker_nothing_of_its_task_is_left_and_the_task_runs_again(
    quick_stack: Stack, client: Client, tmp_path: Path, told: Told, what: str
) -> None:
    body, processes = HARD_TO_END[what]
    run = client.start(write_workflow(tmp_path, "hard", (TELL + body).format(told=told.path)))
    pids = told.pids(processes)
    assert len(set(pids)) == processes
    kill(quick_stack, WORKER)
    assert gone(pids, within=2.0)
    end = seen(client, run)
    assert (end.state, end.tasks, end.attempts) == (
        "succeeded",
        {"main:1": {"hard": "succeeded"}},
        {"main:1": {"hard": 2}},
    )
    assert end.printed["hard"] == ["done"]


CHAIN = """
    def hold(data, store, signal, context):
        signal.join_dags([signal.start_dag("aside")])
        tell(data, store, signal, context)
        with open({gate!r}, "rb", buffering=0) as gate:
            gate.read(1)

    first, middle, last = PythonTask("first"), PythonTask("middle", hold), PythonTask("last")
    main = Dag("main", schema={{first: middle, middle: last}})
    aside = Dag("aside", autostart=False, schema={{PythonTask("beside"): None}})
"""
KILLED = [
    ("scheduler",),
    ("dag-runner",),
    ("redis",),
    ("mongod",),
    ("redis", "mongod"),
    ("scheduler", "dag-runner", WORKER),
    ("scheduler", "dag-runner", WORKER, "redis", "mongod"),
]


@pytest.mark.parametrize("killed", KILLED, ids="+".join)
def test_a_run_ends_as_it_would_have_whoever_is_killed_meanwhile(
    quick_stack: Stack, client: Client, tmp_path: Path, told: Told, gate: Gate, killed: tuple[str, ...]
) -> None:
    body = (TELL + CHAIN).format(told=told.path, gate=gate.path)
    run = client.start(write_workflow(tmp_path, "chain", body))
    told.pids(1)
    for name in killed:
        kill(quick_stack, name)
    again = WORKER in killed
    if again:
        told.pids(1)
    gate.open()
    end = seen(client, run)
    assert end.state == "succeeded"
    assert {state for tasks in end.tasks.values() for state in tasks.values()} == {"succeeded"}
    assert end.attempts["main:1"] == {"first": 1, "middle": 2 if again else 1, "last": 1}


def test_a_scheduler_that_was_taken_for_dead_stays_to_be_found(quick_stack: Stack) -> None:
    config = Config.from_file(quick_stack.info.config)
    mongo: MongoClient[Any] = MongoClient(store_uri(config))
    with mongo:
        db = mongo["lightflow"]
        own = db["control"].find_one({"_id": quick_stack.target})["incarnation"]
        before = db["workers"].find_one_and_update({"_id": own}, {"$set": {"dead": True}})
        deadline = time.monotonic() + PATIENCE
        while (found := db["control"].find_one({"_id": quick_stack.target})) is None or (
            found["incarnation"] == before["_id"]
        ):
            assert time.monotonic() < deadline, f"{found} is entered in the name of {before['_id']}"
            time.sleep(0.05)
        assert db["workers"].find_one({"_id": found["incarnation"]})["pid"] == before["pid"]


PAUSED = """
    def hold(data, store, signal, context):
        tell(data, store, signal, context)
        with open({gate!r}, "rb", buffering=0) as gate:
            gate.read(1)
        data["attempt"] = context.attempt

    tasks = {{PythonTask(f"task{{number}}", hold): None for number in range({tasks})}}
    main = Dag("main", schema=tasks)
"""
SOON_MISSED = "engine:\n  lease_interval: 0.3\n  lease_timeout: 3.0\n  self_fence: 2.0\n  sweep_interval: 0.5\n"


def test_what_a_paused_worker_ran_is_run_elsewhere_and_its_own_outcome_is_refused(
    tmp_path: Path, told: Told, gate: Gate
) -> None:
    config = tmp_path / "lightflow.cfg"
    config.write_text(SOON_MISSED)
    body = TELL + PAUSED
    with (
        Stack.temporary(task_slots=1, replicas={WORKER: 2}, config=str(config)) as stack,
        Client(stack.target) as client,
    ):
        cli = Cli(stack.data_dir, tmp_path)
        run = client.start(write_workflow(tmp_path, "one", body.format(told=told.path, gate=gate.path, tasks=1)))
        told.pids(1)
        (task,) = cli("status", run.id, "-o", "json").json["dags"][0]["tasks"]
        (pid,) = [
            worker["pid"]
            for worker in cli("workers", "-o", "json").json
            if task["worker"] in (worker["name"], f"{worker['name']}@{worker['host']}")
        ]
        os.kill(pid, signal.SIGSTOP)
        try:
            told.pids(1)  # the second attempt, elsewhere
            gate.open(2)
            end = seen(client, run)
        finally:
            os.kill(pid, signal.SIGCONT)
        assert (end.state, end.attempts) == ("succeeded", {"main:1": {"task0": 2}})
        assert run.result("task0")["attempt"] == 2
        both = client.start(write_workflow(tmp_path, "two", body.format(told=told.path, gate=gate.path, tasks=2)))
        told.pids(2)  # side by side, so that both workers have one
        gate.open(2)
        assert both.wait(PATIENCE) == "succeeded"
        assert run.result("task0")["attempt"] == 2
