"""A shell command in a process group of its own, and waiting for everything about it at once."""

import os
import selectors
import signal
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from time import monotonic

from lightflow.tasks.command import Command, exit_descriptor, start

GRACE = 3.0  # seconds between terminate and kill; below the 5 s after which a timed-out attempt is killed as a whole
LINGER = 0.2  # seconds of silence after which a stream that background processes keep open is given up
LINGER_AT_MOST = 2.0  # seconds after the command's end for which they are listened to when they are never silent
CHUNK = 1 << 16


@dataclass(frozen=True, slots=True)
class Stop:
    """How a stop is noticed: by a descriptor that turns readable, or where there is none by asking now and then."""

    descriptor: int | None
    is_stopped: Callable[[], bool]
    look_every: float


Reader = Callable[[bytes], None]
"""Takes the chunks of a stream; an empty one is its end."""


class ShellProcess:
    """A running command. `pump` returns when it has ended; leaving the `with` block before that ends its group."""

    def __init__(self, command: Command, stdout: Reader | None, stderr: Reader | None) -> None:
        self._process, self._tether = start(command, stdout is not None, stderr is not None)
        self._exited = exit_descriptor(self._process)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._exited, selectors.EVENT_READ, self._on_exit)
        self._running = True
        self._ending = False
        self._group_alive = False  # only watched while ending
        self._kill_at: float | None = None
        self._give_up_at = 0.0  # only meant once it does not run any more
        self._readers: dict[int, Reader] = {}
        for stream, reader in ((self._process.stdout, stdout), (self._process.stderr, stderr)):
            if stream is not None and reader is not None:
                self._readers[stream.fileno()] = reader
                self._selector.register(stream, selectors.EVENT_READ, partial(self._on_output, stream.fileno()))
        if self._process.stdin is not None:
            self._input = memoryview(command.input)
            os.set_blocking(self._process.stdin.fileno(), False)
            self._selector.register(self._process.stdin, selectors.EVENT_WRITE, self._on_input)

    @property
    def pid(self) -> int:
        """The id of the shell, and of the process group."""
        return self._process.pid

    def pump(self, stop: Stop) -> int:
        """Feed and drain the streams until the command has ended, ending its group on a stop; the return code."""
        if stop.descriptor is not None:
            self._selector.register(stop.descriptor, selectors.EVENT_READ, partial(self._on_stop, stop.descriptor))
            self._until_ended(None)
        else:
            self._until_ended(stop)
        for reader in self._readers.values():
            reader(b"")
        return self._process.wait()

    def __enter__(self) -> "ShellProcess":
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.returncode is None:  # a callback raised
            self._readers = dict.fromkeys(self._readers, lambda chunk: None)
            self._end()
            self._until_ended(None)
            self._process.wait()
        self._selector.close()
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            if stream is not None:
                stream.close()
        os.close(self._exited)
        os.close(self._tether)

    def _until_ended(self, ask: Stop | None) -> None:
        while self._running or self._readers or self._group_alive:
            has_exited = not self._running  # so that what it wrote is there to be read now
            ready = self._selector.select(self._patience(ask))
            for key, _ in ready:
                key.data()
            if ask is not None and not self._ending and ask.is_stopped():
                self._end()
            if self._kill_at is not None and monotonic() >= self._kill_at:
                self._kill()
            if has_exited and (not ready or self._is_over_patience()):
                break  # what keeps a stream open is not the command
        if self._kill_at is not None:
            self._kill()

    def _patience(self, ask: Stop | None) -> float | None:
        """How long to wait for something to happen, in seconds; None: as long as it takes."""
        if self._kill_at is not None:
            return max(0.0, self._kill_at - monotonic())
        if not self._running:
            return LINGER
        return None if ask is None or self._ending else ask.look_every

    def _is_over_patience(self) -> bool:
        return self._kill_at is None and monotonic() >= self._give_up_at

    def _on_exit(self) -> None:
        self._running = False
        self._give_up_at = monotonic() + LINGER_AT_MOST
        self._selector.unregister(self._exited)

    def _on_stop(self, descriptor: int) -> None:
        self._selector.unregister(descriptor)
        self._end()

    def _on_group_gone(self) -> None:
        self._group_alive = False
        self._selector.unregister(self._tether)

    def _on_output(self, descriptor: int) -> None:
        chunk = os.read(descriptor, CHUNK)
        reader = self._readers[descriptor]
        if not chunk:
            self._selector.unregister(descriptor)
            del self._readers[descriptor]
        reader(chunk)

    def _on_input(self) -> None:
        stream = self._process.stdin
        assert stream is not None
        try:
            self._input = self._input[os.write(stream.fileno(), self._input[:CHUNK]) :]
        except BrokenPipeError:  # the command reads no more
            self._input = memoryview(b"")
        if not self._input:
            self._selector.unregister(stream)
            stream.close()

    def _end(self) -> None:
        """Ask the whole group to end, and give it the grace."""
        if self._ending:
            return
        self._ending = self._group_alive = True
        self._selector.register(self._tether, selectors.EVENT_READ, self._on_group_gone)
        self._kill_at = monotonic() + GRACE
        self._signal(signal.SIGTERM)

    def _kill(self) -> None:
        self._kill_at = None
        self._signal(signal.SIGKILL)

    def _signal(self, number: int) -> None:
        with suppress(ProcessLookupError, PermissionError):  # the group is gone; macOS refuses for a zombie's
            os.killpg(self._process.pid, number)
