"""Runs a command that is killed the moment its parent dies: `bound.py PARENT_PID PROGRAM [ARGUMENTS...]`.

A program of its own, on the standard library alone: between fork and exec of a process with threads nothing but exec is
safe, and the servers know nothing of their parent. Where the kernel has no such bond, the next start ends leftovers.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main(parent: int, command: list[str]) -> None:
    """Bind this process to its parent, then become the command."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before the bond was tied
        sys.exit(1)
    os.execv(command[0], command)  # noqa: S606


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
