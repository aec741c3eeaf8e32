"""Making a version: a workflow file is executed in a child process of its own, which says what it defines."""

import asyncio
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lightflow.core.errors import LightflowException, LoadTimeout, WorkflowImportError
from lightflow.core.graph import WorkflowSpec
from lightflow.runtime.membership import PYTHON
from lightflow_task_worker.frames import Frame, Header, PipeClosedError
from lightflow_task_worker.guard import Guard, GuardianGoneError
from lightflow_task_worker.guards import Guards
from lightflow_task_worker.process import ChildProcess

_OUTPUT_KEPT = 8192  # bytes of what the file printed, for the case that its process dies
_OVERTIME = 1.0  # seconds after its limit for a child to say by itself where it was


@dataclass(frozen=True, slots=True)
class Made:
    """What a workflow file defines: its graph, its source archive, and its code as (dag, first, last, bytes)."""

    spec: WorkflowSpec
    archive: bytes
    shards: tuple[tuple[str, int, int, bytes], ...]

    @property
    def version(self) -> str:
        """The content hash."""
        content = hashlib.sha256()
        for part in (PYTHON.encode(), json.dumps(self.spec.to_json()).encode(), self.archive):
            content.update(hashlib.sha256(part).digest())
        for dag, first, last, code in self.shards:
            content.update(f"{dag}\0{first}\0{last}\0".encode() + hashlib.sha256(code).digest())
        return content.hexdigest()


@dataclass(frozen=True, slots=True)
class Failed:
    """Why a file made no version; `error` as a document: type, message, traceback, fields."""

    error: dict[str, Any]


def failure(error: LightflowException, traceback: str = "") -> Failed:
    """An error that was found outside the child."""
    return Failed({**error.to_json(), "message": str(error), "traceback": traceback})


class Maker:
    """Executes workflow files, one at a time, each in a fresh child, which `prepare` forks beforehand."""

    def __init__(self, guards: Guards, limit: float) -> None:
        self._guards = guards
        self._limit = limit
        self._guard: Guard | None = None
        self._next: asyncio.Task[ChildProcess] | None = None
        self._used: ChildProcess | None = None
        self._busy = False  # a guardian has one child at a time

    async def make(self, file: Path, name: str, libraries: Sequence[Path]) -> Made | Failed:
        """What the file defines, or why it cannot be loaded; takes `limit` seconds at most."""
        self._busy = True
        try:
            self._used = child = await self._fresh()
            return await self._make(child, file, name, libraries)
        finally:
            self._busy = False

    def prepare(self) -> None:
        """End the child that was used and fork the next: not while somebody waits for what the last one made."""
        if self._next is None and not self._busy:
            self._next = asyncio.create_task(self._replace("load ahead"))

    async def close(self) -> None:
        """End the processes, for good."""
        self._busy = True
        children = [self._used]
        if self._next is not None:
            self._next.cancel()
            (last,) = await asyncio.gather(self._next, return_exceptions=True)
            children += [last] if isinstance(last, ChildProcess) else []
        if self._guard is not None:
            await self._guard.close()
            self._guards.forget(self._guard)
        for child in children:
            if child is not None:
                await child.end()

    async def _make(self, child: ChildProcess, file: Path, name: str, libraries: Sequence[Path]) -> Made | Failed:
        printed = bytearray()
        child.output = lambda data: _keep(printed, data)
        request = {
            "file": str(file),
            "name": name,
            "libraries": [str(folder) for folder in libraries],
            "limit": self._limit,
        }
        try:
            async with asyncio.timeout(self._limit + _OVERTIME):
                await child.pipe.send(request)
                return _made(await child.pipe.receive())
        except TimeoutError:
            return failure(LoadTimeout(name=name, seconds=self._limit), printed.decode(errors="replace"))
        except (PipeClosedError, ConnectionError):
            how = await child.end()
            message = f"The process that executed {str(file)!r} {how}; see what the file does when it is imported"
            return failure(WorkflowImportError(message, str(file)), printed.decode(errors="replace"))

    async def _fresh(self) -> ChildProcess:
        if self._next is not None:
            # Taken before it is awaited: one that failed must not be met again.
            waiting, self._next = self._next, None
            child = await waiting
            if not child.has_ended:
                return child
            self._used = child
        return await self._replace("load")

    async def _replace(self, role: str) -> ChildProcess:
        if self._used is not None:
            await self._used.end()
            self._used = None
        return await self._fork(role)

    async def _fork(self, role: str) -> ChildProcess:
        while True:
            if self._guard is None or self._guard.gone.done():
                self._guard = await self._guards.guard()
            try:
                return await ChildProcess.fork(self._guard, role)
            except GuardianGoneError:
                continue


def _made(answer: Frame) -> Made | Failed:
    header, parts = answer
    if "error" in header:
        return Failed(header["error"])
    archive, *shards = map(bytes, parts)
    entries: list[Header] = header["shards"]
    return Made(
        WorkflowSpec.from_json(header["spec"]),
        archive,
        tuple((each["dag"], each["first"], each["last"], code) for each, code in zip(entries, shards, strict=True)),
    )


def _keep(printed: bytearray, data: bytes) -> None:
    printed += data
    del printed[:-_OUTPUT_KEPT]
