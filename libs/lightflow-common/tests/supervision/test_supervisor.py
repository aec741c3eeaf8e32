"""The supervisor with small real processes: shells and Pythons that do as little as the test needs."""

import asyncio
import os
import select
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from lightflow.runtime.supervision.errors import ProcessNotReady
from lightflow.runtime.supervision.living import ProcessInfo
from lightflow.runtime.supervision.processes import ProcessSpec, Ready
from lightflow.runtime.supervision.supervisor import Supervisor

TELL = "echo > /dev/fd/$LIGHTFLOW_READY_FD"
SERVES = f"{TELL}; exec sleep 1000"


def shell(folder: Path, script: str, name: str = "small", grace: float = 10.0) -> ProcessSpec:
    return ProcessSpec(name, name, ("/bin/sh", "-c", script), folder / f"{name}.log", Ready.DESCRIPTOR, grace=grace)


class News:
    """What the supervisor told, and a way to wait for it."""

    def __init__(self) -> None:
        self.changed = asyncio.Event()
        self.ready = asyncio.Event()

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(20):
            while not condition():
                self.changed.clear()
                await self.changed.wait()


@asynccontextmanager
async def supervised(*stages: tuple[ProcessSpec, ...]) -> AsyncIterator[tuple[Supervisor, News]]:
    news = News()
    supervisor = Supervisor(stages, os.environ, news.changed.set)
    running = asyncio.create_task(supervisor.run(news.ready.set))
    try:
        yield supervisor, news
    finally:
        supervisor.stop.set()
        async with asyncio.timeout(20):
            await running


def only(supervisor: Supervisor) -> ProcessInfo:
    (process,) = supervisor.processes
    return process


async def test_a_stack_is_ready_once_each_process_says_so(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    late = shell(tmp_path, f"read line < {gate}; {SERVES}", "late")
    async with supervised((shell(tmp_path, SERVES, "early"), late)) as (supervisor, news):
        await news.until(lambda: [process.state for process in supervisor.processes] == ["running", "starting"])
        assert not news.ready.is_set()
        await asyncio.to_thread(gate.write_text, "go\n")
        await asyncio.wait_for(news.ready.wait(), 20)


async def test_a_process_that_dies_is_started_again(tmp_path: Path) -> None:
    async with supervised((shell(tmp_path, SERVES),)) as (supervisor, news):
        await asyncio.wait_for(news.ready.wait(), 20)
        first = only(supervisor).pid
        assert first is not None
        os.kill(first, signal.SIGKILL)
        await news.until(lambda: only(supervisor).restarts == 1 and only(supervisor).state == "running")
        assert only(supervisor).pid != first


async def test_a_process_that_never_comes_up_ends_the_start_and_shows_its_log(tmp_path: Path) -> None:
    news = News()
    fine = shell(tmp_path, SERVES, "fine")
    supervisor = Supervisor([[shell(tmp_path, "echo no such colour; exit 3"), fine]], os.environ, news.changed.set)
    with pytest.raises(ProcessNotReady, match=r"(?s)small ended with exit code 3.*no such colour"):
        await asyncio.wait_for(supervisor.run(news.ready.set), 20)
    assert {process.pid for process in supervisor.processes} == {None}


async def test_processes_end_stage_by_stage(tmp_path: Path) -> None:
    order = tmp_path / "order"

    def stage(name: str) -> tuple[ProcessSpec, ...]:
        script = f"trap 'echo {name} >> {order}; exit 0' TERM; {TELL}; while :; do sleep 0.01; done"
        return (shell(tmp_path, script, name),)

    async with supervised(stage("service"), stage("mongod"), stage("redis")) as (supervisor, news):
        await asyncio.wait_for(news.ready.wait(), 20)
        assert [process.name for process in supervisor.processes] == ["redis", "mongod", "service"]
    assert order.read_text().split() == ["service", "mongod", "redis"]
    assert [process.state for process in supervisor.processes] == ["stopped"] * 3


STUBBORN = f"trap '' TERM; {TELL}; while :; do sleep 0.01; done"


async def test_a_process_that_ignores_the_signal_is_killed_after_its_grace(tmp_path: Path) -> None:
    async with supervised((shell(tmp_path, STUBBORN, grace=0.1),)) as (_, news):
        await asyncio.wait_for(news.ready.wait(), 20)


async def test_a_hurry_cuts_the_grace_short(tmp_path: Path) -> None:
    async with supervised((shell(tmp_path, STUBBORN, grace=1000.0),)) as (supervisor, news):
        await asyncio.wait_for(news.ready.wait(), 20)
        supervisor.stop.set()
        supervisor.hurry.set()


async def test_a_stop_while_starting_leaves_nothing(tmp_path: Path) -> None:
    async with supervised((shell(tmp_path, "exec sleep 1000"),)) as (supervisor, news):
        await news.until(lambda: only(supervisor).pid is not None)
    assert only(supervisor).pid is None


async def test_a_process_that_may_end_takes_the_others_with_it(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    ends = replace(shell(tmp_path, f"{TELL}; read line < {gate}", "ends"), may_end=True)
    async with supervised((ends, shell(tmp_path, SERVES, "serves"))) as (supervisor, news):
        await asyncio.wait_for(news.ready.wait(), 20)
        await asyncio.to_thread(gate.write_text, "go\n")
        await news.until(lambda: [process.state for process in supervisor.processes] == ["stopped"] * 2)


async def test_the_log_of_a_process_that_writes_on_and_on_stays_short(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lightflow.runtime.supervision.processes.LOG_LIMIT", 1000)
    monkeypatch.setattr("lightflow.runtime.supervision.supervisor.LOGS_SEEN_TO", 0.01)
    writes = "while :; do printf '%0100d\\n' 0; done"
    spec = shell(tmp_path, f"{TELL}; {writes}")
    log = tmp_path / "small.log"

    def is_cut() -> bool:
        return log.with_name("small.log.1").exists() and log.stat().st_size <= 1000

    async with supervised((spec,)) as (_, news):
        await news.ready.wait()
        async with asyncio.timeout(20):
            while not await asyncio.to_thread(is_cut):
                pass
    assert set(log.read_text()) <= {"0", "\n"}, "what is written after the cut follows it at once"


async def test_a_process_without_a_log_writes_where_its_supervisor_does(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    async with supervised((replace(shell(tmp_path, f"echo hello; {SERVES}"), log=None),)) as (_, news):
        await asyncio.wait_for(news.ready.wait(), 20)
    assert capfd.readouterr().out == "hello\n"


def test_processes_die_with_a_supervisor_that_is_killed(tmp_path: Path) -> None:
    program = f"""
import asyncio, os
from pathlib import Path
from lightflow.runtime.supervision.processes import ProcessSpec, Ready
from lightflow.runtime.supervision.supervisor import Supervisor
spec = ProcessSpec("small", "small", ("/bin/sh", "-c", {SERVES!r}), Path({str(tmp_path)!r}) / "log", Ready.DESCRIPTOR)
supervisor = Supervisor([[spec]], os.environ, lambda: None)
asyncio.run(supervisor.run(lambda: print(supervisor.processes[0].pid, flush=True)))
"""
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        watched = os.pidfd_open(int(parent.stdout.readline()))
        parent.kill()
    assert select.select([watched], [], [], 10)[0]
    os.close(watched)
    with suppress(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)
