"""Nothing of a worker outlives it. The worker here is a process of its own, so that it can be killed."""

import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from lightflow_task_worker.leftovers import end_orphans

WORKER = """
import asyncio, sys
from pathlib import Path
from lightflow_task_worker.making import Maker
from lightflow_task_worker.slot import ChildSettings, Job, Slots

async def main(file, marker):
    slots = Slots(ChildSettings(marker))
    slot = await slots.start()
    made = await Maker(slots, 10).make(file, "flow", [])
    job = Job("t", "r", "flow", made.version, "main:1", "work", 0, 1, "w", None, made.shards[0][3], None)
    def tell(data):
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    tell(f"{slots._root.pid} {slot.pid} ".encode())
    await slot.run(job, None, tell)

asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
"""

TASK = """
import ctypes, os, subprocess, time
from lightflow.models import Dag
from lightflow.tasks import PythonTask
def work(data, store, signal, context):
    {body}
main = Dag("main", schema={{PythonTask("work", work): None}})
"""

SHELL = "subprocess.run(['bash', '-c', 'sleep 1000 & echo $!; setsid sleep 1000 & echo $!; echo ready; wait'])"
BODIES = {
    "runs a shell that runs more": SHELL,
    "holds the interpreter in C code": "print('ready', flush=True); ctypes.PyDLL(None).sleep(1000)",
    "ignores every signal": "import signal; [signal.signal(n, 1) for n in (1, 2, 15)]; "
    "print('ready'); time.sleep(1000)",
    "has made a daemon": "subprocess.run(['sh', '-c', '(setsid setsid sleep 1000 & echo $!)']); "
    "os.fork() or (os.setsid(), os.fork() and os._exit(0)); print('ready', flush=True); time.sleep(1000)",
}


def begin(folder: Path, marker: str, body: str) -> tuple[subprocess.Popen[bytes], list[int]]:
    """A worker whose task runs, and the processes that are known of it."""
    file = folder / "flow.py"
    file.write_text(TASK.format(body=body))
    worker = subprocess.Popen(
        [sys.executable, "-c", WORKER, str(file), marker], stdout=subprocess.PIPE, start_new_session=True
    )
    text = b""
    while b"ready" not in text:
        data = os.read(worker.stdout.fileno(), 4096)
        assert data, "the worker ended"
        text += data
    return worker, [int(word) for word in text.split() if word.isdigit()]


def marked(marker: str) -> list[int]:
    found = []
    for entry in Path("/proc").glob("[0-9]*/environ"):
        try:
            if marker.encode() in entry.read_bytes():
                found.append(int(entry.parent.name))
        except OSError:
            continue
    return found


def wait_until_gone(pids: list[int], seconds: float) -> None:
    """Wait until these processes have ended, whether or not anybody has taken note of it."""
    poller, descriptors = select.poll(), set()
    for pid in pids:
        try:
            descriptors.add(os.pidfd_open(pid))
        except ProcessLookupError:
            continue
    for descriptor in descriptors:
        poller.register(descriptor, select.POLLIN)
    while descriptors and (ready := poller.poll(seconds * 1000)):
        for descriptor, _ in ready:
            poller.unregister(descriptor)
            os.close(descriptor)
            descriptors.discard(descriptor)
    assert not descriptors, "some are alive"


@pytest.mark.parametrize("task", BODIES)
def test_nothing_is_left_of_a_task_two_seconds_after_its_worker_was_killed(folder, marker, task):
    worker, pids = begin(folder, marker, BODIES[task])
    known = {*pids, *marked(marker)}
    os.kill(worker.pid, signal.SIGKILL)
    worker.wait()
    wait_until_gone(sorted(known), 2.0)
    assert marked(marker) == []
    worker.stdout.close()


def test_what_is_left_when_worker_and_guardians_are_killed_is_found_by_its_marker(folder, marker):
    worker, (root, guardian, *_) = begin(folder, f"{marker}/1", SHELL)
    for pid in (root, guardian, worker.pid):
        os.kill(pid, signal.SIGKILL)
    worker.wait()
    assert end_orphans(f"{marker}/1", ())
    assert marked(marker) == []
    worker.stdout.close()


def test_ctrl_c_in_the_terminal_reaches_the_worker_alone(folder, marker, is_alive):
    worker, pids = begin(folder, marker, "print('ready', flush=True); time.sleep(1000)")
    groups = {os.getpgid(pid) for pid in (*pids, *marked(marker))}
    assert worker.pid not in groups
    worker.kill()
    worker.wait()
    wait_until_gone(pids, 2.0)
    worker.stdout.close()
