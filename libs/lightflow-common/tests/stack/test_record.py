import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from lightflow.local.stack import record
from lightflow.local.stack.errors import StackRunning
from lightflow.local.stack.places import Places
from lightflow.local.stack.record import StackInfo
from lightflow.runtime.supervision.living import ProcessInfo, birth, is_alive


@pytest.fixture
def info(tmp_path: Path) -> StackInfo:
    """The record of a stack whose supervisor is this very process."""
    return StackInfo(
        pid=os.getpid(),
        born=birth(os.getpid()),
        state="running",
        data_dir=str(tmp_path),
        target="unix:/run/lf-1/control.sock",
        targets=("unix:/run/lf-1/control.sock",),
        sockets="/run/lf-1",
        config=str(tmp_path / "lightflow.cfg"),
        started_at="2030-01-01T00:00:00.000+00:00",
        processes=(ProcessInfo("mongod", "mongod", 7, "running", 0, "123"),),
    )


def test_what_was_written_is_found(info: StackInfo, tmp_path: Path) -> None:
    record.write(Places.of(tmp_path).state, info)
    assert record.find(tmp_path) == info
    assert info.process("mongod").pid == 7


def test_where_nothing_was_written_nothing_is_found(tmp_path: Path) -> None:
    assert record.find(tmp_path) is None


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"pid": 1}'])
def test_a_record_that_cannot_be_read_is_none(tmp_path: Path, text: str) -> None:
    Places.of(tmp_path).state.write_text(text)
    assert record.find(tmp_path) is None


def test_a_pid_that_was_given_to_another_process_is_no_stack(info: StackInfo, tmp_path: Path) -> None:
    record.write(Places.of(tmp_path).state, replace(info, born="long ago"))
    assert record.find(tmp_path) is None


def test_a_process_that_has_ended_is_not_alive() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        born = birth(process.pid)
        assert is_alive(process.pid, born)
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert not is_alive(process.pid, born)  # not even while nobody has collected it
    assert not is_alive(process.pid, born)


def test_two_stacks_do_not_meet_in_one_data_dir(tmp_path: Path) -> None:
    places = Places(tmp_path, tmp_path / "sockets")
    with record.locked(places), pytest.raises(StackRunning, match="is running in"), record.locked(places):
        pass
    with record.locked(places):
        pass


def test_the_record_is_replaced_in_one_step(info: StackInfo, tmp_path: Path) -> None:
    state = Places.of(tmp_path).state
    record.write(state, info)
    record.write(state, replace(info, state="stopping"))
    assert [path.name for path in tmp_path.iterdir()] == ["stack.json"]
