"""The worker's end of a guardian process."""

import asyncio
import contextlib
import json
import os
import socket
import subprocess
import sys
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

from lightflow_task_worker.leftovers import MARKER

# What a task may need to reach a system by itself; everything else of Lightflow's may hold a secret.
_KEPT = frozenset({"LIGHTFLOW_TARGET", "LIGHTFLOW_DATA_DIR"})


class GuardianGoneError(ConnectionError):
    """The guardian process has ended."""


def child_environment(environment: Mapping[str, str], marker: str) -> dict[str, str]:
    """The environment of what runs user code: without Lightflow's own settings, with the marker of its worker."""
    kept = {name: value for name, value in environment.items() if not name.startswith("LIGHTFLOW_") or name in _KEPT}
    return {**kept, MARKER: marker}


class Guard:
    """Has a guardian fork and end processes. `gone` is done once the guardian has ended."""

    def __init__(self, control: socket.socket, pid: int, process: subprocess.Popen[bytes] | None = None) -> None:
        control.setblocking(False)
        self.pid = pid
        self._control = control
        self._process = process
        self._loop = asyncio.get_running_loop()
        self.gone: asyncio.Future[None] = self._loop.create_future()
        self._answers: deque[asyncio.Future[dict[str, Any]]] = deque()
        self._ends: dict[int, asyncio.Future[int]] = {}
        self._pending = b""
        self._loop.add_reader(control, self._read)

    @classmethod
    async def start(cls, marker: str) -> "Guard":
        """Start the process that guardians are forked from."""
        mine, its = socket.socketpair()
        # With a fixed seed sets have one order, and a workflow file that has not changed always gives the same version.
        environment = child_environment(os.environ, marker) | {"PYTHONHASHSEED": "0"}
        # -P: the folder that the worker happens to run in is no source of modules.
        command = [sys.executable, "-P", "-m", "lightflow_task_worker.guardian", str(its.fileno())]
        with its:
            process = await asyncio.to_thread(
                subprocess.Popen, command, env=environment, pass_fds=[its.fileno()], stdin=subprocess.DEVNULL
            )
        return cls(mine, process.pid, process)

    async def guard(self) -> "Guard":
        """Fork another guardian. Raises GuardianGoneError."""
        mine, its = socket.socketpair()
        with its:
            answer = await self._ask({"do": "guard"}, [its.fileno()])
        return Guard(mine, answer["pid"])

    async def fork(self, role: str, descriptors: Sequence[int]) -> int:
        """Fork a child of that role, which gets the descriptors; its process id. Raises GuardianGoneError."""
        answer = await self._ask({"do": "fork", "role": role}, descriptors)
        return int(answer["pid"])

    async def kill(self) -> None:
        """Kill the child and all that came of it; returns once nothing of it is left. Raises GuardianGoneError."""
        await self._ask({"do": "kill"})

    def kill_soon(self) -> None:
        """The same without waiting for it."""
        self._send({"do": "kill"})

    def has_forked(self, pid: int) -> bool:
        """Whether it is this guardian that forked the process."""
        return pid in self._ends

    def has_ended(self, pid: int) -> bool:
        """Whether a process that was forked has ended."""
        return self.gone.done() or self._ends[pid].done()

    async def ended(self, pid: int) -> int:
        """The wait status of a process that was forked, once it and what it left behind have ended."""
        return await asyncio.shield(self._ends[pid])

    def forget(self, pid: int) -> None:
        """Nobody will ask for the end of this process any more."""
        self._ends.pop(pid, None)

    async def close(self) -> None:
        """End the guardian and everything below it."""
        if not self.gone.done():
            with contextlib.suppress(OSError):  # it has just ended by itself
                self._control.shutdown(socket.SHUT_WR)
            await self.gone
        if self._process is not None:
            await asyncio.to_thread(self._process.wait)

    async def _ask(self, command: dict[str, Any], descriptors: Sequence[int] = ()) -> dict[str, Any]:
        return await self._send(command, descriptors)

    def _send(self, command: dict[str, Any], descriptors: Sequence[int] = ()) -> asyncio.Future[dict[str, Any]]:
        answer: asyncio.Future[dict[str, Any]] = self._loop.create_future()
        self._answers.append(answer)
        if not self.gone.done():
            try:
                socket.send_fds(self._control, [json.dumps(command).encode() + b"\n"], descriptors)
            except ConnectionError:
                self._close()
        else:
            self._fail_waiting()
        return answer

    def _read(self) -> None:
        try:
            data = self._control.recv(65536)
        except ConnectionError:
            data = b""
        if not data:
            self._close()
            return
        *lines, self._pending = (self._pending + data).split(b"\n")
        for line in lines:
            self._hear(json.loads(line))

    def _hear(self, message: dict[str, Any]) -> None:
        if "ended" in message:
            end = self._ends.get(message["ended"])
            if end is not None and not end.done():
                end.set_result(message["status"])
            return
        if "pid" in message:
            self._ends[message["pid"]] = self._loop.create_future()
        answer = self._answers.popleft()
        if not answer.done():
            answer.set_result(message)

    def _close(self) -> None:
        if self.gone.done():
            return
        self._loop.remove_reader(self._control)
        self._control.close()
        self.gone.set_result(None)
        self._fail_waiting()

    def _fail_waiting(self) -> None:
        futures: list[asyncio.Future[Any]] = [*self._answers, *self._ends.values()]
        for waiting in futures:
            if not waiting.done():
                waiting.set_exception(GuardianGoneError())
                waiting.exception()  # perhaps nobody waits for it
        self._answers.clear()
