import os
import subprocess

from lightflow_task_worker.leftovers import MARKER, end_orphans
from lightflow_task_worker.leftovers import marker as marker_of


def sleeper(mark: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(["sleep", "1000"], env={MARKER: mark, "PATH": "/bin:/usr/bin"}, start_new_session=True)


def test_orphans_with_a_marker_are_ended_and_what_a_living_guardian_guards_is_not(marker: str) -> None:
    one, guarded, another = sleeper(marker), sleeper(marker), sleeper(f"{marker}1")
    try:
        assert end_orphans(marker, [guarded.pid]) == [one.pid]
        assert guarded.poll() is another.poll() is None
        assert end_orphans(marker, [os.getpid()]) == []
    finally:
        for process in (one, guarded, another):
            process.kill()
            process.wait()


def test_an_identity_may_hold_slashes_and_is_compared_as_a_whole() -> None:
    assert marker_of("a/b@host", "1") == "a/b@host/1"
