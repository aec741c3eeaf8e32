"""What an attempt may have changed in its process, and the way back."""

import io
import logging
import os
import resource
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

_STANDARD = (0, 1, 2)
_Handler = Callable[[int, FrameType | None], Any] | int | None
_LOG_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


class StandardErrorHandler(logging.StreamHandler[io.TextIOWrapper]):
    """Writes to whatever sys.stderr is at the moment."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)
        self.setFormatter(logging.Formatter(_LOG_FORMAT, "%H:%M:%S"))

    @property
    def stream(self) -> io.TextIOWrapper:  # type: ignore[override]
        return sys.stderr  # type: ignore[return-value]


def capture(output: int) -> None:
    """Send what this process writes, subprocesses included, to one descriptor, in the order of writing."""
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.close(nothing)
    sys.stdout, sys.stderr = _stream(1), _stream(2)
    logging.root.handlers[:] = [StandardErrorHandler()]
    logging.root.setLevel(logging.INFO)


def _stream(descriptor: int) -> io.TextIOWrapper:
    # What is printed may hold anything; output is shown line by line as it appears.
    raw = open(descriptor, "wb", closefd=False)  # noqa: SIM115 (lives as long as the process)
    return io.TextIOWrapper(raw, encoding="utf-8", errors="backslashreplace", line_buffering=True)


def _is_usable(stream: Any) -> bool:
    try:
        return not stream.closed
    except ValueError:  # its buffer was detached
        return False


class Surroundings:
    """A child process as it was before its first attempt."""

    def __init__(self) -> None:
        self._standard = tuple(os.dup(descriptor) for descriptor in _STANDARD)
        self._folder = os.open(".", os.O_RDONLY)
        self._umask = os.umask(0o22)
        os.umask(self._umask)
        self._environment = dict(_variables())
        self._path = list(sys.path)
        self._streams = sys.stdin, sys.stdout, sys.stderr
        self._signals = dict(_signals())
        self._logging = logging.root.level, list(logging.root.handlers)

    def restore(self) -> None:
        """Put everything back. Called between attempts, when no user code runs."""
        os.fchdir(self._folder)
        os.umask(self._umask)
        if _variables() != self._environment:
            os.environb.clear()
            os.environb.update(self._environment)
        sys.path[:] = self._path
        for number, handler in _signals():
            if handler != self._signals[number] is not None:
                signal.signal(number, self._signals[number])
        logging.root.level, logging.root.handlers[:] = self._logging
        self._restore_streams()

    def _restore_streams(self) -> None:
        for saved, descriptor in zip(self._standard, _STANDARD, strict=True):
            os.dup2(saved, descriptor)
        stdin, stdout, stderr = self._streams
        if not (_is_usable(stdout) and _is_usable(stderr)):
            stdout, stderr = _stream(1), _stream(2)
            self._streams = stdin, stdout, stderr
        sys.stdin, sys.stdout, sys.stderr = self._streams


def flush() -> None:
    """Write out what user code printed; a stream that it closed or broke has nothing to say."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError, AttributeError):
            continue


class Traces:
    """Whether an attempt left threads or processes behind, or changed its process for good, and so would disturb."""

    def __init__(self) -> None:
        self._nature = _nature()
        self._modules = len(sys.modules)
        self._only_child = f"{os.getpid()}".encode()
        self._mine, self._guardians = (_open_children(pid) for pid in (os.getpid(), os.getppid()))

    def any(self) -> bool:
        """True also for what was reparented to the guardian, whose only child this process is otherwise."""
        if threading.active_count() > 1 or _nature() != self._nature or len(sys.modules) < self._modules:
            return True
        if self._mine is None or self._guardians is None:
            return False
        if os.pread(self._mine, 32, 0) != b"":
            return True
        siblings = os.pread(self._guardians, 4096, 0).split()
        # The guardian may not have come round yet to what is dead.
        return siblings != [self._only_child] and any(map(_is_alive, set(siblings) - {self._only_child}))


def _nature() -> tuple[Any, ...]:
    """What a process cannot take back, or not be sure to: who it is, its limits, its priority."""
    identity = os.getuid(), os.geteuid(), os.getgid(), os.getegid()
    return *identity, os.getpriority(os.PRIO_PROCESS, 0), *map(resource.getrlimit, _LIMITS)


def _is_alive(pid: bytes) -> bool:
    try:
        stat = Path(f"/proc/{pid.decode()}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] not in "ZX"


def _open_children(pid: int) -> int | None:
    try:
        return os.open(f"/proc/{pid}/task/{pid}/children", os.O_RDONLY)
    except FileNotFoundError:
        return None  # not on this system


def _variables() -> dict[bytes, bytes]:
    """The environment as it is; comparing this copy with another costs a tenth of comparing os.environ."""
    variables: dict[bytes, bytes] = vars(os.environ)["_data"]
    return variables


def _signals() -> Iterator[tuple[int, _Handler]]:
    for number in _HANDLED:
        yield number, signal.getsignal(number)


_LIMITS = (resource.RLIMIT_AS, resource.RLIMIT_CPU, resource.RLIMIT_FSIZE, resource.RLIMIT_NOFILE)
"""Those that programs set."""

_HANDLED = (
    signal.SIGINT,
    signal.SIGTERM,
    signal.SIGHUP,
    signal.SIGQUIT,
    signal.SIGALRM,
    signal.SIGVTALRM,
    signal.SIGPROF,
    signal.SIGCHLD,
    signal.SIGPIPE,
    signal.SIGUSR1,
    signal.SIGUSR2,
    signal.SIGWINCH,
)
"""The signals that programs handle: asking about every one there is would take as long as the rest of this."""
