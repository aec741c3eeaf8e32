"""Outcomes that have nothing to hand over: those that come while others are being written go together."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from lightflow.runtime.mongo import Document

AT_ONCE = 100

Change = list[Document]
Write = Callable[[list[tuple[Document, Change]]], Awaitable[list[bool | Exception]]]


@dataclass
class Commits:
    """Ends attempts. `write` takes fences with their changes and tells which were let through, or what is wrong."""

    write: Write
    _waiting: list[tuple[Document, Change, "asyncio.Future[bool]"]] = field(default_factory=list)
    _writing: "asyncio.Task[None] | None" = None

    async def end(self, fence: Document, change: Change) -> bool:
        """Whether the attempt held its task; raises what became of the command that it was part of."""
        done: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting.append((fence, change, done))
        if self._writing is None:
            self._writing = asyncio.create_task(self._write())
        return await done

    async def _write(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting[:AT_ONCE], self._waiting[AT_ONCE:]
            results: list[bool | Exception]
            try:
                results = await self.write([(fence, change) for fence, change, _ in batch])
            except Exception as error:
                results = [error for _ in batch]
            for (_, _, done), result in zip(batch, results, strict=True):
                _settle(done, result)
        self._writing = None


def _settle(done: "asyncio.Future[bool]", result: bool | Exception) -> None:
    if done.cancelled():
        return
    if isinstance(result, Exception):
        done.set_exception(result)
    else:
        done.set_result(result)
