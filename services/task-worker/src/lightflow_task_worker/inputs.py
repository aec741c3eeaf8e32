"""Outputs of predecessors: a large one is read once by a worker, not once by each task that it goes to."""

import asyncio
from collections.abc import Sequence
from typing import Any

from lightflow.runtime.kept import Kept
from lightflow.runtime.mongo import Document
from lightflow.runtime.payloads import Payloads

KEPT_BYTES = 256 * 1024 * 1024


class Inputs:
    """Loads outputs, and keeps the large ones used last."""

    def __init__(self, payloads: Payloads, kept_bytes: int = KEPT_BYTES) -> None:
        self._payloads = payloads
        self._kept = Kept[Any, bytes](kept_bytes, len)

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
        return await self._kept.get(blob, lambda: self._payloads.load(field))
