"""A supervised process as data, and what it takes to start one and to see that it is ready."""

import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

READY_FD = "LIGHTFLOW_READY_FD"
LOG_LIMIT = 10 * 1024 * 1024
LOG_TAIL = 2000
BOUND = Path(__file__).with_name("bound.py")


class Ready(Enum):
    """How a process shows that it is ready."""

    DESCRIPTOR = "writes one byte to the descriptor named by $LIGHTFLOW_READY_FD"
    PING = "answers PING on its socket"
    CONNECT = "accepts connections on its socket"


@dataclass(frozen=True, slots=True)
class ProcessSpec:
    """What to run. `environment` is added to the inherited one; `grace` is how long it may take to end, in seconds.

    Without a `log` it writes where its supervisor does. One that `may_end` is not started again after exit code 0.
    """

    name: str
    service: str
    argv: tuple[str, ...]
    log: Path | None
    ready: Ready
    socket: Path | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    grace: float = 10.0
    may_end: bool = False


@dataclass(frozen=True, slots=True)
class Launch:
    """What subprocess needs: the command and its keyword arguments; `log` is to be closed once it has started."""

    argv: tuple[str, ...]
    options: dict[str, Any]
    log: AbstractContextManager[Any]


def prepare(spec: ProcessSpec, inherited: Mapping[str, str], ready_fd: int | None = None) -> Launch:
    """Clear what an earlier life of the process left and say how to start it."""
    if spec.socket is not None:
        spec.socket.unlink(missing_ok=True)
    environment = {**inherited, **spec.environment}
    if ready_fd is not None:
        environment[READY_FD] = str(ready_fd)
    log = open_log(spec.log) if spec.log is not None else nullcontext()
    options = {
        "env": environment,
        "stdin": subprocess.DEVNULL,
        "stdout": log if spec.log is not None else None,
        "stderr": subprocess.STDOUT if spec.log is not None else None,
        "pass_fds": () if ready_fd is None else (ready_fd,),
        "start_new_session": True,  # Ctrl-C in a terminal reaches the supervisor alone, which stops the others in order
    }
    return Launch((sys.executable, "-I", "-S", str(BOUND), str(os.getpid()), *spec.argv), options, log)


def open_log(path: Path) -> Any:
    """The log, to append to; one that has grown long is set aside first."""
    keep_short(path)
    return path.open("ab", buffering=0)


def keep_short(log: Path) -> None:
    """Set aside what a log holds that has grown long; whoever appends to it goes on from its beginning."""
    if log.exists() and log.stat().st_size > LOG_LIMIT:
        shutil.copyfile(log, log.with_name(f"{log.name}.1"))
        os.truncate(log, 0)


def tail(path: Path | None) -> str:
    """The last lines of a log, if there is one."""
    if path is None or not path.exists():
        return ""
    with path.open("rb") as log:
        log.seek(max(0, path.stat().st_size - LOG_TAIL))
        return "\n".join(log.read().decode(errors="replace").strip().splitlines()[-20:])


def answers(spec: ProcessSpec) -> bool:
    """Whether the server behind the socket of this spec answers now."""
    with closing(socket.socket(socket.AF_UNIX)) as connection:
        connection.settimeout(1.0)
        try:
            connection.connect(str(spec.socket))
            if spec.ready is Ready.CONNECT:
                return True
            connection.sendall(b"PING\r\n")
            return connection.recv(5) == b"+PONG"  # one that still loads its data says something else
        except OSError:
            return False


def describe_exit(returncode: int) -> str:
    """How a process ended, in words."""
    if returncode < 0:
        return f"was killed by {signal.Signals(-returncode).name}"
    return f"ended with exit code {returncode}"
