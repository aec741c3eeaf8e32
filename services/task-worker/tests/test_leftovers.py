import subprocess

from lightflow_task_worker.leftovers import MARKER, end_leftovers, end_marked, marker


def sleeper(mark: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(["sleep", "1000"], env={MARKER: mark, "PATH": "/bin:/usr/bin"}, start_new_session=True)


def test_what_other_incarnations_of_this_worker_left_is_ended(marker: str) -> None:
    old, mine, others = sleeper(f"{marker}/old"), sleeper(f"{marker}/new"), sleeper(f"{marker}x/old")
    try:
        assert end_leftovers(marker, "new") == [old.pid]
        assert old.wait() == -9
        assert mine.poll() is others.poll() is None
        assert end_leftovers(marker, "new") == []
    finally:
        for process in (old, mine, others):
            process.kill()
            process.wait()


def test_everything_with_one_marker_is_ended(marker: str) -> None:
    one, another = sleeper(marker), sleeper(f"{marker}1")
    try:
        assert end_marked(marker) == [one.pid]
        assert another.poll() is None
    finally:
        for process in (one, another):
            process.kill()
            process.wait()


def test_an_identity_may_hold_slashes_and_is_compared_as_a_whole() -> None:
    assert marker("a/b@host", "1") == "a/b@host/1"
