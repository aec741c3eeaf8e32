"""Outputs of predecessors: a large one is read once by a worker, not once by each task that it goes to."""

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

from lightflow.runtime.mongo import Document
from lightflow.runtime.payloads import Payloads

KEPT_BYTES = 256 * 1024 * 1024


class Inputs:
    """Loads outputs, and keeps the large ones used last."""

    def __init__(self, payloads: Payloads, kept_bytes: int = KEPT_BYTES) -> None:
        self._payloads = payloads
        self._kept_bytes = kept_bytes
        self._size = 0
        self._kept: OrderedDict[Any, asyncio.Future[bytes]] = OrderedDict()

    async def load(self, fields: Sequence[Document | None]) -> list[bytes | None]:
        """The bytes of payload fields, None where there is none."""
        if any(field is not None and "blob" in field for field in fields):
            return list(await asyncio.gather(*(self._load(field) for field in fields)))
        return [await self._load(field) for field in fields]  # there is nothing to wait for

    async def _load(self, field: Document | None) -> bytes | None:
        if field is None:
            return None
        blob = field.get("blob")
        if blob is None:
            return await self._payloads.load(field)
        if blob not in self._kept:
            self._kept[blob] = asyncio.ensure_future(self._payloads.load(field))
            self._kept[blob].add_done_callback(lambda done: self._count(blob, done))
        self._kept.move_to_end(blob)
        return await asyncio.shield(self._kept[blob])

    def _count(self, blob: Any, done: "asyncio.Future[bytes]") -> None:
        if done.cancelled() or done.exception() is not None:
            self._kept.pop(blob, None)
            return
        self._size += len(done.result())
        while self._size > self._kept_bytes and len(self._kept) > 1:
            oldest = next((key for key, future in self._kept.items() if future.done()), None)
            if oldest is None:
                return
            self._size -= len(self._kept.pop(oldest).result())
