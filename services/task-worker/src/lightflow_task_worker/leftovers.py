"""What an earlier incarnation of this worker may have left running, found by a marker in its environment."""

import os
import select
import signal
from collections.abc import Callable, Collection, Iterator

from lightflow_task_worker import proc

MARKER = "LIGHTFLOW_WORKER_MARKER"
"""The environment variable of everything that a worker starts: `<worker identity>/<incarnation>`."""


def marker(identity: str, incarnation: str) -> str:
    """The marker's value for one incarnation of a worker."""
    return f"{identity}/{incarnation}"


def end_leftovers(identity: str, incarnation: str) -> list[int]:
    """Kill what other incarnations of this worker left; their process ids, once all of them are gone."""
    return _end(lambda _, mark: _is_leftover(mark, identity, incarnation))


def end_orphans(mark: str, guardians: Collection[int]) -> list[int]:
    """Kill what has this marker and none of these guardians above it; the process ids, once all of them are gone."""
    living = set(guardians)
    return _end(lambda pid, found: found == mark and living.isdisjoint(proc.lineage(pid)))


def _is_leftover(mark: str, identity: str, incarnation: str) -> bool:
    owner, _, other = mark.rpartition("/")
    return owner == identity and other != incarnation


def _end(chosen: Callable[[int, str], bool]) -> list[int]:
    ended: list[int] = []
    # What is being killed may have forked in the meantime: look again until there is nothing.
    while found := [pid for pid, mark in _marked() if pid != os.getpid() and chosen(pid, mark) and _end_one(pid)]:
        ended += found
    return ended


def _marked() -> Iterator[tuple[int, str]]:
    prefix = f"{MARKER}=".encode()
    for entry in proc.PROC.glob("[0-9]*/environ"):
        try:
            variables = entry.read_bytes().split(b"\0")
        except OSError:
            continue  # ended meanwhile, or another user's
        for variable in variables:
            if variable.startswith(prefix):
                yield int(entry.parent.name), variable[len(prefix) :].decode(errors="replace")


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
