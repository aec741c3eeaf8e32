"""Told to end, a service takes nothing more, gives what it runs its grace, and what is left costs nobody anything."""

import os
import select
import signal
import threading
from contextlib import ExitStack, suppress
from pathlib import Path

from tests.e2e.support import PATIENCE as A_WHILE
from tests.e2e.support import seen, write_workflow
from tests.limits.support import PATIENCE, servers_of, size, until

from lightflow.client import Client
from lightflow.core.errors import NoControlService, RequestFailed, ServiceUnavailable
from lightflow.local.stack import Stack

SLOTS = 4
SERVERS = ("redis", "mongod")
HELD = """
    import pathlib, select, time

    def hold(data, store, signal, context):
        pathlib.Path({folder!r}, f"{{context.task_name}}-{{context.attempt}}").touch()
        wanted = pathlib.Path({folder!r}, f"let-{{context.task_name}}-{{context.attempt}}")
        while not wanted.exists():
            time.sleep(0.02)

    main = Dag("main", schema={{PythonTask(f"task{{number}}", hold): None for number in range({count})}})
"""
SHORT = """
    import time

    def work(data, store, signal, context):
        time.sleep(0.05)

    tasks = [PythonTask(f"task{number}", work) for number in range(3)]
    main = Dag("main", schema={tasks[0]: tasks[1], tasks[1]: tasks[2]})
"""


# One of each service at a time, and the servers one by one: what nobody else does meanwhile has to wait.
WAVES = (
    ("scheduler", "dag-runner", "task-worker"),
    ("scheduler-2", "dag-runner-2", "task-worker-2"),
    ("redis",),
    ("mongod",),
)


def restart(stack: Stack, names: tuple[str, ...]) -> None:
    """Tell processes to end, as a rolling update does, and wait until others serve in their place."""
    before = [stack.process(name) for name in names]
    for process in before:
        assert process.pid is not None, f"{process.name} is not up"
        os.kill(process.pid, signal.SIGTERM)

    def are_back() -> bool:
        now = [(stack.process(process.name), process) for process in before]
        return all(new.state == "running" and new.pid not in (None, old.pid) for new, old in now)

    until(are_back, A_WHILE, lambda: stack.info.processes)


def let_go(folder: Path) -> None:
    """Let every attempt of the held tasks end."""
    for number in range(3 * SLOTS):
        for attempt in (1, 2):
            (folder / f"let-task{number}-{attempt}").touch()


class Starting:
    """Starts runs of a workflow for as long as a block lasts, and at least so many."""

    def __init__(self, client: Client, name: str, least: int) -> None:
        self._client, self._name, self._least = client, name, least
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._start, name="starting")
        self.accepted = 0

    def __enter__(self) -> "Starting":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _start(self) -> None:
        while self.accepted < self._least or not self._over.is_set():
            # Whoever starts a run while the service is away is told so, and tries again.
            with suppress(NoControlService, ServiceUnavailable, RequestFailed):
                self._client.start(self._name)
                self.accepted += 1
            self._over.wait(0.1)


def test_a_worker_that_is_told_to_end_claims_nothing_more_and_gives_back_uncounted_what_outlasts_its_grace(
    stack: Stack, client: Client, tmp_path: Path
) -> None:
    run = client.start(write_workflow(tmp_path, "held", HELD.format(folder=str(tmp_path), count=3 * SLOTS)))
    until(lambda: len(list(tmp_path.glob("task*"))) == SLOTS)
    pid = stack.process("task-worker").pid
    assert pid is not None
    with servers_of(stack) as (db, _), ExitStack() as at_the_end:
        # Whatever comes of this test, its tasks must not hold the slots of the next one.
        at_the_end.callback(let_go, tmp_path)
        worker = db["workers"].find_one({"pid": pid})
        held = [task["task"] for task in db["task_runs"].find({"holder": worker["_id"]})]
        with os.fdopen(os.pidfd_open(pid)) as ends:
            os.kill(pid, signal.SIGTERM)
            until(lambda: db["workers"].count_documents({"_id": worker["_id"], "draining": True}) == 1)
            (tmp_path / f"let-{held[0]}-1").touch()
            assert select.select([ends], [], [], A_WHILE)[0]
        assert db["workers"].count_documents({"_id": worker["_id"]}) == 0
        its = {"run": run.id, "attempts.incarnation": worker["_id"]}
        assert sorted(task["task"] for task in db["task_runs"].find(its)) == sorted(held)
        let_go(tmp_path)
        end = seen(client, run)
        tasks = {task["task"]: task for task in db["task_runs"].find({"run": run.id})}
    assert end.state == "succeeded"
    again = {name: [each["outcome"] for each in task["attempts"]] for name, task in tasks.items()}
    assert again.pop(held[1]) == ["returned", "succeeded"]
    assert set(map(tuple, again.values())) == {("succeeded",)}
    assert [tasks[held[1]][count] for count in ("errors", "deaths", "losses")] == [0, 0, 0]


def test_a_rolling_restart_of_everything_costs_no_run_and_no_attempt(stack: Stack, client: Client, flows: Path) -> None:
    write_workflow(flows, "short", SHORT)
    client._control.deploy_workflow("short")
    with Starting(client, "short", size(60, 1000)) as starting:
        until(lambda: starting.accepted)
        for names in WAVES:
            restart(stack, names)
        while starting.accepted < size(0, 1000):
            for names in WAVES:
                restart(stack, names)
    with servers_of(stack) as (db, _):
        ids = {"workflow": "short"}
        open_ = ids | {"state": {"$nin": ["succeeded", "failed", "aborted", "stopped"]}}
        until(lambda: not db["runs"].count_documents(open_), PATIENCE, lambda: list(db["runs"].find(open_)))
        assert db["runs"].count_documents(ids) >= starting.accepted
        assert db["runs"].distinct("state", ids) == ["succeeded"]
        runs = db["runs"].distinct("_id", ids)
        again = db["task_runs"].find({"run": {"$in": runs}, "attempts.1": {"$exists": True}})
        assert [(task["_id"], task["attempts"]) for task in again] == []
        assert db["task_runs"].count_documents({"run": {"$in": runs}, "state": "succeeded"}) == 3 * len(runs)
        living = sorted(worker["pid"] for worker in db["workers"].find())
    assert living == sorted(process.pid for process in stack.info.processes if process.service not in SERVERS)
