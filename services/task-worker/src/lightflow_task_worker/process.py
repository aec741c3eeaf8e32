"""The worker's end of one child process: its pipe, what it writes, and how it ended."""

import asyncio
import os
import signal
import socket
import tempfile
from collections.abc import Callable, Sequence

from lightflow_task_worker.frames import AsyncPipe
from lightflow_task_worker.guard import Guard, GuardianGoneError

_READ = 1 << 16
_PIPE_HOLDS = 1 << 20  # bytes, at most, on any system


def ignore(_: bytes) -> None:
    """An output that nobody wants."""


class ChildProcess:
    """A forked child. `output` is called with what it writes on its standard output and error."""

    def __init__(self, guard: Guard, pid: int, sock: socket.socket, output: int) -> None:
        self.pid = pid
        self.pipe = AsyncPipe(sock)
        self.output: Callable[[bytes], None] = ignore
        self._guard = guard
        self._output = output
        self._ending: asyncio.Task[str] | None = None
        self._loop = asyncio.get_running_loop()
        os.set_blocking(output, False)
        self._loop.add_reader(output, self._read)

    @classmethod
    async def fork(cls, guard: Guard, role: str, descriptors: Sequence[int] = ()) -> "ChildProcess":
        """Fork a child of that role; it gets a pipe, an output and these descriptors. Raises GuardianGoneError."""
        mine, its = socket.socketpair()
        readable, writable = os.pipe()
        try:
            pid = await guard.fork(role, [its.fileno(), writable, *descriptors])
        except BaseException:
            mine.close()
            os.close(readable)
            raise
        finally:
            its.close()
            os.close(writable)
        return cls(guard, pid, mine, readable)

    @property
    def has_ended(self) -> bool:
        """Whether it died by itself."""
        return self._guard.has_ended(self.pid)

    async def end(self) -> str:
        """End the child and all that came of it, if that has not happened; how the child ended, as a sentence."""
        if self._ending is None:
            self._ending = asyncio.create_task(self._end())
        return await asyncio.shield(self._ending)

    async def _end(self) -> str:
        try:
            await self._guard.kill()
            return ending(await self._guard.ended(self.pid))
        except GuardianGoneError:
            return "was killed together with its guardian process"
        finally:
            self.drain()
            self._close()

    def drain(self) -> None:
        """Hand on what was written until now."""
        remaining = _PIPE_HOLDS
        while remaining > 0 and (count := self._read()):
            remaining -= count

    def _read(self) -> int:
        try:
            data = os.read(self._output, _READ)
        except BlockingIOError:
            return 0
        if data:
            self.output(data)
        else:
            self._loop.remove_reader(self._output)
        return len(data)

    def _close(self) -> None:
        self._loop.remove_reader(self._output)
        os.close(self._output)
        self.pipe.close()
        self._guard.forget(self.pid)


def ending(status: int) -> str:
    """A wait status in words."""
    code = os.waitstatus_to_exitcode(status)
    if code >= 0:
        return f"ended by itself with exit code {code}"
    number = -code
    try:
        name = f" ({signal.Signals(number).name})"
    except ValueError:
        name = ""
    hint = "; perhaps the host was out of memory" if number == signal.SIGKILL else ""
    return f"was killed by signal {number}{name}{hint}"


class StopFlag:
    """Tells a child that its attempt is to stop: a byte of shared memory, and a descriptor that becomes readable."""

    def __init__(self) -> None:
        self._memory = _shared_byte()
        self._readable, self._writable = os.pipe()
        os.set_blocking(self._readable, False)
        self._set = False

    @property
    def descriptors(self) -> tuple[int, int]:
        """What a child needs of it."""
        return self._memory, self._readable

    def set(self) -> None:
        if not self._set:
            self._set = True
            os.pwrite(self._memory, b"\1", 0)
            os.write(self._writable, b"\1")

    def clear(self) -> None:
        if self._set:
            self._set = False
            os.pwrite(self._memory, b"\0", 0)
            os.read(self._readable, 1)

    def close(self) -> None:
        for descriptor in (self._memory, self._readable, self._writable):
            os.close(descriptor)


def _shared_byte() -> int:
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("lightflow-stop")
    else:
        with tempfile.TemporaryFile() as file:
            descriptor = os.dup(file.fileno())
    os.ftruncate(descriptor, 1)
    return descriptor
