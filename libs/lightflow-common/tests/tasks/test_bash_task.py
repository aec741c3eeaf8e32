"""Running commands: streams, callbacks, and how a process is ended."""

import os
import selectors
import threading
from pathlib import Path
from typing import Any

import psutil
import pytest

from lightflow.core.outcomes import Ending, Outcome
from lightflow.models import AbortWorkflow, DataStoreDocument, StopTask, TaskContext, TaskData, TaskSignal
from lightflow.models.attempt import run_attempt
from lightflow.models.task_data import as_input
from lightflow.tasks import BashTask, command, process


class StopCalls:
    """A stop signal that the test gives; with or without a descriptor to wait on."""

    def __init__(self, descriptor: bool = True) -> None:
        self._pipe = os.pipe() if descriptor else None
        self._stopped = threading.Event()

    def stop(self) -> None:
        self._stopped.set()
        if self._pipe is not None:
            os.write(self._pipe[1], b"x")

    def is_stopped(self) -> bool:
        return self._stopped.is_set()

    def stop_descriptor(self) -> int | None:
        return None if self._pipe is None else self._pipe[0]

    def close(self) -> None:
        for descriptor in self._pipe or ():
            os.close(descriptor)


@pytest.fixture
def calls() -> Any:
    calls = StopCalls()
    yield calls
    calls.close()


class Result:
    """What callback_end was told, and what became of the task."""

    returncode: int | None = None
    stdout: bytes | None = None
    stderr: bytes | None = None
    outcome: Outcome
    output: TaskData | None


def run(calls: Any, command: Any, **arguments: Any) -> Result:
    result = Result()

    def end(returncode: int, stdout: Any, stderr: Any, data: Any, *_: Any) -> None:
        result.returncode = returncode
        result.stdout = stdout and stdout.read()
        result.stderr = stderr and stderr.read()

    task = BashTask("t", command, **{"callback_end": end, **arguments})
    context = TaskContext("t", "main:1", "flow", "id", "host")
    data = as_input("t", TaskData({"word": "hello"}))
    result.outcome, result.output = run_attempt(task, data, DataStoreDocument(calls), TaskSignal(calls), context)
    return result


def test_the_end_is_told_the_return_code_and_the_captured_streams(calls: Any) -> None:
    result = run(calls, "echo out; echo err >&2; exit 3", capture_stdout=True, capture_stderr=True)
    assert (result.returncode, result.stdout, result.stderr) == (3, b"out\n", b"err\n")


def test_a_return_code_does_not_fail_the_task(calls: Any) -> None:
    assert run(calls, "exit 3").outcome.ending is Ending.SUCCEEDED


def test_streams_that_are_not_captured_are_none(calls: Any) -> None:
    result = run(calls, "true")
    assert (result.returncode, result.stdout, result.stderr) == (0, None, None)


def test_the_task_hands_its_data_on(calls: Any) -> None:
    output = run(calls, "true").output
    assert output is not None
    assert output["word"] == "hello"


def test_values_may_be_callables_of_data_and_store(calls: Any, tmp_path: Path) -> None:
    result = run(
        calls,
        lambda data, store: f"pwd; echo {data['word']} $NAME; cat",
        cwd=lambda data, store: str(tmp_path),
        env=lambda data, store: {"NAME": "world"},
        stdin=lambda data, store: "input",
        capture_stdout=lambda data, store: True,
    )
    assert result.stdout == f"{tmp_path}\nhello world\ninput".encode()


def test_each_line_is_told_as_it_appears(calls: Any) -> None:
    seen: dict[str, list[str]] = {"out": [], "err": []}
    run(
        calls,
        "printf 'a\\nb'; printf 'c\\n' >&2",
        callback_stdout=lambda line, *_: seen["out"].append(line),
        callback_stderr=lambda line, *_: seen["err"].append(line),
    )
    assert seen == {"out": ["a\n", "b"], "err": ["c\n"]}


def test_a_line_is_told_before_the_process_ends(calls: Any, tmp_path: Path) -> None:
    fifo = tmp_path / "go"
    os.mkfifo(fifo)
    result = run(
        calls,
        f"echo ready; cat {fifo}",
        capture_stdout=True,
        callback_stdout=lambda line, *_: fifo.write_text("went\n") if line == "ready\n" else None,
    )
    assert result.stdout == b"ready\nwent\n"


def test_callbacks_are_given_the_surroundings_and_may_be_async(calls: Any) -> None:
    async def told(line: str, data: Any, store: Any, signal: Any, context: Any) -> None:
        data["told"] = (line, context.task_name, signal.is_stopped)

    output = run(calls, "echo a", callback_stdout=told).output
    assert output is not None
    assert output["told"] == ("a\n", "t", False)


def test_neither_stream_can_block_the_other(calls: Any) -> None:
    command = "head -c 1000000 /dev/zero >&2; head -c 1000000 /dev/zero; head -c 1000000 /dev/zero >&2"
    result = run(calls, command, capture_stdout=True, capture_stderr=True)
    assert (len(result.stdout or b""), len(result.stderr or b"")) == (1_000_000, 2_000_000)


def test_megabytes_of_input_are_fed_while_output_is_read(calls: Any) -> None:
    text = "line\n" * 1_000_000
    assert run(calls, "cat", stdin=text, capture_stdout=True).stdout == text.encode()


def test_input_that_nobody_reads_is_no_error(calls: Any) -> None:
    assert run(calls, "exec <&-; sleep 0.01", stdin="x" * 1_000_000).returncode == 0


def test_without_input_the_command_reads_nothing(calls: Any) -> None:
    assert run(calls, "cat", capture_stdout=True).stdout == b""


def test_the_process_is_told_by_its_id_and_leads_a_group_of_its_own(calls: Any) -> None:
    groups: list[tuple[int, int]] = []
    run(calls, "sleep 0.05", callback_process=lambda pid, *_: groups.append((pid, os.getpgid(pid))))
    pid, group = groups[0]
    assert pid == group != os.getpgrp()


def ended(pid: int) -> bool:
    """Whether the process is gone; a killed one that is not our child may take a moment."""
    try:
        running = psutil.Process(pid)
        return running.status() == psutil.STATUS_ZOMBIE or running.wait(5) is None
    except psutil.NoSuchProcess:
        return True


@pytest.mark.parametrize("callback", ["callback_process", "callback_stdout", "callback_stderr"])
@pytest.mark.parametrize(
    ("error", "ending"),
    [(StopTask(), Ending.STOPPED), (AbortWorkflow(), Ending.ABORTED), (ValueError(), Ending.ERROR)],
)
def test_what_a_callback_raises_ends_the_process(calls: Any, callback: str, error: Exception, ending: Ending) -> None:
    pids: list[int] = []

    def started(pid: int, *_: Any) -> None:
        pids.append(pid)
        if callback == "callback_process":
            raise error

    def told(*_: Any) -> None:
        raise error

    callbacks = {callback: told, "callback_process": started}
    result = run(calls, "echo out; echo err >&2; exec sleep 1000", **callbacks)
    assert (result.outcome.ending, result.returncode) == (ending, None)
    assert ended(pids[0])


def test_callback_end_decides_how_the_task_ends(calls: Any) -> None:
    def end(*_: Any) -> None:
        raise StopTask("enough", skip_successors=False)

    outcome = run(calls, "true", callback_end=end).outcome
    assert (outcome.ending, outcome.limit) == (Ending.STOPPED, None)


@pytest.mark.parametrize("descriptor", [True, False])
def test_a_stop_ends_the_whole_group_and_callback_end_still_runs(descriptor: bool) -> None:
    calls = StopCalls(descriptor)
    pids: list[int] = []

    def told(line: str, *_: Any) -> None:
        pids.append(int(line))
        calls.stop()

    command = "sleep 1000 & echo $!; wait"
    result = run(calls, command, callback_stdout=told, refresh_time=0.01)
    calls.close()
    assert (result.returncode, result.outcome.ending) == (-15, Ending.SUCCEEDED)
    assert ended(pids[0])


def test_a_stop_kills_what_ignores_the_request_to_end(calls: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "GRACE", 0.1)
    command = "trap '' TERM; echo ready; while true; do sleep 0.01; done"
    result = run(calls, command, callback_stdout=lambda *_: calls.stop())
    assert result.returncode == -9


def test_a_stop_leaves_the_group_its_grace_when_the_shell_is_gone_already(calls: Any, tmp_path: Path) -> None:
    saved = tmp_path / "saved"
    child = f"trap 'sleep 0.2; echo done > {saved}; exit 0' TERM; echo ready; while true; do sleep 0.01; done"
    run(calls, f'sh -c "{child}" & wait', callback_stdout=lambda *_: calls.stop())
    assert saved.read_text() == "done\n"


def test_a_background_process_does_not_keep_the_task(calls: Any) -> None:
    pids: list[int] = []
    result = run(calls, "sleep 1000 & echo $!", callback_stdout=lambda line, *_: pids.append(int(line)))
    assert result.returncode == 0
    os.kill(pids[0], 9)


def test_a_background_process_that_never_falls_silent_does_not_keep_the_task(
    calls: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "LINGER_AT_MOST", 0.3)
    seen: list[str] = []
    command = "(while true; do echo again; sleep 0.02; done) & echo $!"
    result = run(calls, command, callback_stdout=lambda line, *_: seen.append(line))
    os.kill(int(next(line for line in seen if line != "again\n")), 9)
    assert result.returncode == 0
    assert "again\n" in seen


def test_all_that_a_command_wrote_is_told_however_long_the_callbacks_take(
    calls: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "LINGER_AT_MOST", 0.0)
    told: list[str] = []

    def tell(line: str, *_: Any) -> None:
        if not told:
            os.waitid(os.P_PID, pids[0], os.WEXITED | os.WNOWAIT)
        told.append(line)

    pids: list[int] = []
    command = "echo first; sleep 0.05; echo last; sleep 1000 & exit"
    try:
        run(calls, command, callback_process=lambda pid, *_: pids.append(pid), callback_stdout=tell)
    finally:
        os.killpg(pids[0], 9)
    assert told == ["first\n", "last\n"]


def test_where_no_descriptor_tells_of_an_exit_a_thread_does(calls: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "pidfd_open")
    assert run(calls, "echo out; exit 3", capture_stdout=True).returncode == 3


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"command": lambda data, store: None}, "command: it is a NoneType, not a text"),
        ({"command": "true", "env": {"COUNT": 3}}, "env: COUNT is a int, not a text"),
        ({"command": "true", "stdin": 3}, "stdin: it is a int, neither text nor bytes"),
    ],
)
def test_a_value_of_the_wrong_type_is_named(calls: Any, wrong: dict[str, Any], told: str) -> None:
    error = run(calls, **wrong).outcome.error
    assert error is not None
    assert error.message == told


def test_a_folder_that_does_not_exist_is_an_error_of_the_task(calls: Any) -> None:
    error = run(calls, "true", cwd="/no/such/folder").outcome.error
    assert error is not None
    assert "/no/such/folder" in error.message


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become somebody else")
def test_user_and_group_are_those_that_were_given(calls: Any) -> None:
    result = run(calls, "id -u; id -g; id -G", user=65534, group=65533, capture_stdout=True)
    assert result.stdout == b"65534\n65533\n65533\n"


def test_the_marker_of_the_worker_outlives_a_changed_environment(calls: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(command.MARKER, "worker/1")
    result = run(calls, f"echo ${command.MARKER} $NAME", env={"NAME": "x"}, capture_stdout=True)
    assert result.stdout == b"worker/1 x\n"


def test_it_leaves_no_descriptor_open(calls: Any) -> None:
    before = len(os.listdir("/dev/fd"))
    run(calls, "cat", stdin="x", capture_stdout=True, capture_stderr=True)
    assert len(os.listdir("/dev/fd")) == before


def test_it_sleeps_while_it_waits(calls: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[Any] = []
    select = selectors.DefaultSelector.select

    def counted(self: Any, timeout: float | None = None) -> Any:
        waits.append(timeout)
        return select(self, timeout)

    monkeypatch.setattr(selectors.DefaultSelector, "select", counted)
    run(calls, "sleep 0.1")
    assert waits == [None]
