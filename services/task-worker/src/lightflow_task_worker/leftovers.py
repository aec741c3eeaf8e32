"""What an earlier incarnation of this worker may have left running, found by a marker in its environment."""

import os
import select
import signal
from collections.abc import Collection, Iterator

from lightflow_task_worker import proc

MARKER = "LIGHTFLOW_WORKER_MARKER"
"""The environment variable of everything that a worker starts: `<worker identity>/<incarnation>`."""


def marker(identity: str, incarnation: str) -> str:
    """The marker's value for one incarnation of a worker."""
    return f"{identity}/{incarnation}"


def end_orphans(mark: str, guardians: Collection[int]) -> list[int]:
    """Kill what has this marker and none of these guardians above it; the process ids, once all of them are gone."""
    living = set(guardians)
    ended: list[int] = []
    # What is being killed may have forked in the meantime: look again until there is nothing.
    while found := [pid for pid in _marked(mark) if living.isdisjoint(proc.lineage(pid)) and _end_one(pid)]:
        ended += found
    return ended


def _marked(mark: str) -> Iterator[int]:
    wanted = f"{MARKER}={mark}".encode()
    for entry in proc.PROC.glob("[0-9]*/environ"):
        try:
            variables = entry.read_bytes().split(b"\0")
        except OSError:
            continue  # ended meanwhile, or another user's
        pid = int(entry.parent.name)
        if wanted in variables and pid != os.getpid():
            yield pid


def _end_one(pid: int) -> bool:
    """Kill a process and wait until it has ended; False when there was nothing to kill."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return False
    try:
        signal.pidfd_send_signal(descriptor, signal.SIGKILL)
        poller = select.poll()
        poller.register(descriptor, select.POLLIN)
        poller.poll()
    except (ProcessLookupError, PermissionError):
        return False
    finally:
        os.close(descriptor)
    return True
