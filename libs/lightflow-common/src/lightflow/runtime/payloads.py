"""Signed bytes by reference: small ones lie in the document that needs them, larger ones in the GridFS bucket `blobs`.

What `save` returns is a payload field: put it into a document, give it to `load`. The blob is written before anything
refers to it; one that nothing came to refer to is removed with its scope: a run id, "version:<hash>", or
"upload:<hash>:<id>".

The bucket is written as GridFS defines it, without the driver's GridFS class: that one asks for indexes before every
upload and for the file before every download, which would double the operations of a hand-over.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar

from bson.int64 import Int64
from bson.objectid import ObjectId
from bson.timestamp import Timestamp
from pymongo import IndexModel
from pymongo.asynchronous.database import AsyncDatabase

from lightflow.core.errors import DataStoreGridfsIdInvalid, PayloadForged
from lightflow.runtime.signing import Signer

INLINE = 64 * 1024
CHUNK = 4 * 1024 * 1024
BATCH = 8  # chunks sent in one message: below its limit of 48 MB
LONG = 1024 * 1024  # from here on hashing would hold up the event loop

OWNERS = {"runs": "", "workflows": "version:", "uploads": "upload:"}
"""What may own blobs: by collection, what stands before its ids in a scope. Blobs of other scopes are left alone."""

Document = dict[str, Any]
Result = TypeVar("Result")


class Payloads:
    """Saves and loads signed bytes in one database."""

    def __init__(self, database: AsyncDatabase[Document], signer: Signer) -> None:
        self.signer = signer
        self._files = database["blobs.files"]
        self._chunks = database["blobs.chunks"]

    async def save(self, data: bytes, scope: str, *, inline: int = INLINE) -> Document:
        """Store bytes for a scope; the payload field that refers to them. Up to `inline` bytes lie in the field."""
        signature = await _off_loop(self.signer.sign, data, _context(scope))
        field: Document = {"scope": scope, "size": Int64(len(data)), "signature": signature}
        if len(data) <= inline:
            return field | {"data": data}
        return field | {"blob": await self._upload(data, scope)}

    async def load(self, field: Mapping[str, Any]) -> bytes:
        """The bytes of a payload field. Raises PayloadForged, and DataStoreGridfsIdInvalid when they are gone."""
        scope = str(field.get("scope"))
        data = await self._download(field["blob"], scope) if "blob" in field else field.get("data")
        if not isinstance(data, bytes):
            raise PayloadForged(_context(scope))
        await _off_loop(self.signer.verify, data, _context(scope), field.get("signature"))
        return data

    async def remove(self, what: str | Mapping[str, Any]) -> None:
        """Remove the blobs of a scope, or the one of a payload field. Doing it twice is doing it once."""
        if isinstance(what, str):
            await self._remove([file["_id"] async for file in self._files.find({"metadata.scope": what}, {"_id": 1})])
        else:
            await self.remove_many([what])

    async def remove_many(self, fields: Iterable[Mapping[str, Any]]) -> None:
        """Remove the blobs of several payload fields."""
        await self._remove([field["blob"] for field in fields if "blob" in field])

    async def _remove(self, blobs: list[ObjectId]) -> None:
        # The file goes last: as long as it is there, a removal that broke off is found again.
        for start in range(0, len(blobs), 1000):
            batch = {"$in": blobs[start : start + 1000]}
            await self._chunks.delete_many({"files_id": batch})
            await self._files.delete_many({"_id": batch})

    async def _upload(self, data: bytes, scope: str) -> ObjectId:
        blob = ObjectId()
        # `at` is set by the server: the age of a blob is never judged by the clock of the host that wrote it.
        file = {
            "_id": blob,
            "length": Int64(len(data)),
            "chunkSize": CHUNK,
            "uploadDate": datetime.now(UTC),
            "at": Timestamp(0, 0),
            "metadata": {"scope": scope},
        }
        await self._files.insert_one(file)
        view = memoryview(data)
        for start in range(0, len(data), CHUNK * BATCH):
            offsets = range(start, min(start + CHUNK * BATCH, len(data)), CHUNK)
            await self._chunks.insert_many(
                [{"files_id": blob, "n": at // CHUNK, "data": bytes(view[at : at + CHUNK])} for at in offsets]
            )
        return blob

    async def _download(self, blob: Any, scope: str) -> bytes:
        found = self._chunks.find({"files_id": blob}, {"data": 1, "_id": 0}).sort("n", 1)
        data = b"".join([chunk["data"] async for chunk in found])
        if not data:
            raise DataStoreGridfsIdInvalid(f"The blob {blob} of {scope} does not exist any more.")
        return data


async def collect_orphans(payloads: Payloads, database: AsyncDatabase[Document], hours: float = 1.0) -> list[str]:
    """Remove the blobs older than this whose run, version or upload does not exist; their scopes."""
    orphaned: list[str] = []
    old = await database["blobs.files"].aggregate(
        [{"$match": _older_than(hours)}, {"$group": {"_id": "$metadata.scope"}}]
    )
    scopes = [str(group["_id"]) async for group in old]
    for collection, prefix in OWNERS.items():
        owners = {scope: scope.removeprefix(prefix).partition(":")[0] for scope in scopes if _kind(scope) == prefix}
        living = set(await database[collection].distinct("_id", {"_id": {"$in": list(owners.values())}}))
        orphaned += [scope for scope, owner in owners.items() if owner not in living]
    for scope in orphaned:
        await payloads.remove(scope)
    return orphaned


def indexes() -> dict[str, list[IndexModel]]:
    """The indexes that payloads need, by collection."""
    return {
        "blobs.files": [IndexModel([("metadata.scope", 1)])],
        "blobs.chunks": [IndexModel([("files_id", 1), ("n", 1)], unique=True)],
    }


def _older_than(hours: float) -> Document:
    return {"$expr": {"$lt": [{"$toDate": "$at"}, {"$subtract": ["$$NOW", int(hours * 3_600_000)]}]}}


def _kind(scope: str) -> str:
    kind, colon, _ = scope.partition(":")
    return kind + colon if colon else ""


def _context(scope: str) -> str:
    return f"a payload of {scope}"


async def _off_loop(function: Callable[..., Result], data: bytes, *arguments: Any) -> Result:
    if len(data) < LONG:
        return function(data, *arguments)
    return await asyncio.to_thread(function, data, *arguments)
