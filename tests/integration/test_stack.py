"""A whole stack on the real servers, by its command line; its services are stand-ins that only say they are ready."""

import json
import os
import select
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pymongo
import pytest

from lightflow.local.stack import Stack, find, stop
from lightflow.local.stack.errors import StackNotRunning, StackRunning
from lightflow.runtime.supervision.errors import ProcessNotReady

NAMES = ["redis", "mongod", "scheduler", "dag-runner", "task-worker"]
LIGHTFLOWCTL = (sys.executable, "-c", "from lightflow.cli.lightflowctl import main; main()")
SERVES = """
import json, os, signal, sys
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
told = {name: value for name, value in os.environ.items() if name.startswith("LIGHTFLOW_")}
print(json.dumps(told), flush=True)
os.write(int(os.environ["LIGHTFLOW_READY_FD"]), b"1")
while True:
    signal.pause()
"""


@pytest.fixture(autouse=True)
def stand_ins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the stand-in services, ahead of the real ones on the path of every process started from here."""
    folder = tmp_path / "stand-ins"
    for name in ("scheduler", "dag_runner", "task_worker"):
        package = folder / f"lightflow_{name}"
        package.mkdir(parents=True)
        (package / "__init__.py").touch()
        (package / "__main__.py").write_text(SERVES)
    monkeypatch.setenv("PYTHONPATH", str(folder))
    monkeypatch.delenv("LIGHTFLOW_CONFIG", raising=False)
    return folder


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder to be in; whatever stack a failing test left in it is ended."""
    with tempfile.TemporaryDirectory(prefix="lf-") as folder:
        monkeypatch.chdir(folder)
        yield Path(folder)
        with suppress(StackNotRunning):
            stop(".lightflow", now=True)


def ctl(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([*LIGHTFLOWCTL, *arguments], capture_output=True, text=True, check=False, timeout=100)


class Foreground:
    """`lightflowctl up` in a terminal of its own."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [*LIGHTFLOWCTL, "up", "-o", "json"], stdout=subprocess.PIPE, start_new_session=True
        )
        assert self.process.stdout is not None
        text = b""
        while not text.endswith(b"\n}\n"):
            text += self.process.stdout.readline()
        self.document = json.loads(text)


def gone(pids: list[int]) -> bool:
    """Whether these processes end within ten seconds."""
    for pid in pids:
        try:
            descriptor = os.pidfd_open(pid)
        except ProcessLookupError:
            continue
        ended = select.select([descriptor], [], [], 10)[0]
        os.close(descriptor)
        if not ended:
            return False
    return True


def test_up_ps_and_down(here: Path) -> None:
    up = ctl("up", "--detach")
    assert up.returncode == 0, up.stderr
    assert "lightflowctl run simple" in up.stdout
    shown = json.loads(ctl("ps", "-o", "json").stdout)
    assert [process["service"] for process in shown] == NAMES
    assert {process["state"] for process in shown} == {"running"}
    assert {process["restarts"] for process in shown} == {0}
    assert [line.split()[0] for line in ctl("ps").stdout.splitlines()] == ["SERVICE", *NAMES]
    info = find(here / ".lightflow")
    assert info is not None
    assert ctl("down").returncode == 0
    assert gone([process["pid"] for process in shown] + [info.pid])
    assert not Path(info.sockets).exists()
    assert find(here / ".lightflow") is None


def test_a_second_up_in_one_folder_is_refused(here: Path) -> None:
    with Stack.temporary(here / ".lightflow"):
        for arguments in (("up",), ("up", "--detach")):
            refused = ctl(*arguments)
            assert refused.returncode == 2
            assert "running in" in refused.stderr
            assert "lightflowctl down" in refused.stderr
        with pytest.raises(StackRunning):
            Stack.start(here / ".lightflow")


def test_down_and_ps_without_a_stack_say_so(here: Path) -> None:
    assert "No system is running" in ctl("down").stderr
    assert ctl("ps").returncode == 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--replicas", "task-wroker=2"), "did you mean 'task-worker'"),
        (("--replicas", "task-worker=0"), "at least one task-worker"),
        (("--replicas", "task-worker=two"), "'two' is no number"),
        (("--replicas", "task-worker"), "SERVICE=N"),
        (("--queue", "mongod=high"), "no service 'mongod'"),
        (("--queue", "task-worker="), "SERVICE=NAME"),
        (("--task-slots", "0"), "0 is not in the range"),
        (("--workflows", "no/such/folder"), "no/such/folder"),
        (("--config", "no.cfg"), "no.cfg"),
    ],
)
def test_a_wrong_choice_is_named_and_starts_nothing(here: Path, arguments: tuple[str, ...], message: str) -> None:
    refused = ctl("up", "--detach", *arguments)
    assert refused.returncode == 2
    assert message in refused.stderr
    assert not (here / ".lightflow").exists()


def test_a_broken_configuration_is_refused_with_its_line(here: Path) -> None:
    (here / "lightflow.cfg").write_text("workflows: [\n")
    refused = ctl("up", "--detach")
    assert refused.returncode == 2
    assert "line 2" in refused.stderr


def test_ctrl_c_ends_a_stack_in_the_foreground(here: Path) -> None:
    up = Foreground()
    pids = [process["pid"] for process in up.document["processes"]]
    up.process.send_signal(signal.SIGINT)
    assert up.process.wait(60) == 0
    assert gone(pids)


def test_nothing_outlives_a_supervisor_that_is_killed_and_the_next_up_works(here: Path) -> None:
    up = Foreground()
    up.process.kill()
    up.process.wait()
    assert gone([process["pid"] for process in up.document["processes"]])
    assert find(here / ".lightflow") is None
    with Stack.temporary(here / ".lightflow") as stack:
        assert stack.info.state == "running"


def test_a_stack_that_is_not_detached_ends_with_the_process_that_started_it(here: Path) -> None:
    program = (
        "import sys; from lightflow.local.stack import Stack\n"
        "stack = Stack.start('.lightflow', detach=False); print('up', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == b"up\n"
        info = find(here / ".lightflow")
        assert info is not None
        parent.kill()
    assert gone([info.pid, *(process.pid for process in info.processes if process.pid)])


def test_what_dies_is_restarted_and_the_stack_goes_on(here: Path) -> None:
    with Stack.temporary() as stack:
        for name in ("task-worker", "mongod"):
            before = stack.process(name)
            assert before.pid is not None
            os.kill(before.pid, signal.SIGKILL)
            assert gone([before.pid])
        mongod = Path(stack.info.sockets) / "mongod.sock"
        with pymongo.MongoClient(f"mongodb://{str(mongod).replace('/', '%2F')}") as client:
            assert client.admin.command("ping")["ok"]
        assert stack.process("mongod").restarts == 1


def test_a_service_that_does_not_come_up_is_named_with_the_end_of_its_log(here: Path, stand_ins: Path) -> None:
    (stand_ins / "lightflow_dag_runner" / "__main__.py").write_text("raise SystemExit('no such colour')")
    with pytest.raises(ProcessNotReady, match=r"(?s)dag-runner ended with exit code 1.*no such colour"):
        Stack.start(here / ".lightflow")
    assert find(here / ".lightflow") is None
    failed = ctl("up")
    assert failed.returncode == 3
    assert "no such colour" in failed.stderr


def test_two_stacks_in_two_folders_do_not_meet(here: Path) -> None:
    with Stack.temporary(here / "one") as one, Stack.temporary(here / "other") as other:
        assert one.target != other.target
        assert one.info.sockets != other.info.sockets
        other.stop()
        assert {process.state for process in one.info.processes} == {"running"}


def test_choices_reach_the_services(here: Path) -> None:
    choices = {"replicas": {"task-worker": 2}, "queues": {"task-worker": ("high",)}, "task_slots": 3}
    with Stack.temporary(here / ".lightflow", **choices) as stack:
        assert [process.name for process in stack.info.processes] == [*NAMES, "task-worker-2"]
        told = json.loads((stack.data_dir / "logs" / "task-worker-2.log").read_text().splitlines()[0])
    assert told["LIGHTFLOW_QUEUES"] == "task,high"
    assert told["LIGHTFLOW_ENGINE_TASK_SLOTS"] == "3"
    assert told["LIGHTFLOW_ENGINE_WORKER_NAME"] == "task-worker-2"
    assert told["LIGHTFLOW_CONFIG"] == str(stack.data_dir / "lightflow.cfg")
