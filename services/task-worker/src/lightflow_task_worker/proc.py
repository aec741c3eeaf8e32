"""What the system knows about processes, by /proc; where there is none (macOS) it knows nothing."""

import ctypes
import os
import sys
from pathlib import Path

PROC = Path("/proc")
HAS_CHILDREN = (PROC / f"self/task/{os.getpid()}/children").exists()
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36


def _prctl(option: int, value: int) -> None:
    if not sys.platform.startswith("linux"):
        return
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(option, value, 0, 0, 0) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def become_subreaper() -> None:
    """Have orphans among the descendants reparented to this process."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def die_with_parent(signal_number: int) -> None:
    """Have this process sent a signal when its parent dies."""
    _prctl(_PR_SET_PDEATHSIG, signal_number)


def children(pid: int) -> list[int]:
    """The child processes of a process, dead ones that nobody waited for included."""
    found: list[int] = []
    try:
        for thread in os.listdir(PROC / f"{pid}/task"):  # noqa: PTH208 (names are all there is)
            found += map(int, (PROC / f"{pid}/task/{thread}/children").read_text().split())
    except (FileNotFoundError, ProcessLookupError):
        return found if HAS_CHILDREN else _children_by_parent(pid)
    return found


def _children_by_parent(pid: int) -> list[int]:
    """The same where the kernel keeps no list of children."""
    found = []
    for entry in PROC.glob("[0-9]*/stat"):
        child = int(entry.parent.name)
        if _parent(child) == pid:
            found.append(child)
    return found


def _parent(pid: int) -> int:
    """The parent of a process, 0 when there is none (any more)."""
    try:
        stat = (PROC / f"{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return int(stat.rpartition(")")[2].split()[1])


def lineage(pid: int) -> list[int]:
    """A process, its parent, and so on."""
    found = []
    while pid:
        found.append(pid)
        pid = _parent(pid)
    return found


def descendants(pid: int) -> list[int]:
    """Everything below a process."""
    return [each for child in children(pid) for each in (child, *descendants(child))]
