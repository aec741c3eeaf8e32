"""The store of runs in MongoDB: each write is one record, each read folds records (docs/adr/0002)."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

from bson.codec_options import CodecOptions
from bson.timestamp import Timestamp
from pymongo import WriteConcern
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import DuplicateKeyError

from lightflow.core.errors import DataStoreGridfsIdInvalid, InvalidRequest, LightflowException
from lightflow.runtime.batches import Batches, Turns
from lightflow.runtime.datastore import layout, meta, queries
from lightflow.runtime.datastore.folding import Folding, Held
from lightflow.runtime.datastore.layout import DICT, LEAF, LIST, NOTHING, PUSH, SET, Parts, Trace, parts_of
from lightflow.runtime.datastore.tree import ARRAY, OBJECT, from_tree, kind_of, listed, pickles, to_tree
from lightflow.runtime.payloads import Payloads

INLINE = 1024 * 1024
BATCH = 5000
_TYPES = {OBJECT: DICT, ARRAY: LIST}
REMEMBERED = 1024  # what was found in blobs, which never change

Document = dict[str, Any]
Result = TypeVar("Result")


class RunStore:
    """Reads and writes the data of runs; values are BSON value encodings and are never unpickled.

    Every write carries an operation id: sent again with the same one it has no further effect.
    """

    def __init__(self, database: AsyncDatabase[Document], payloads: Payloads, turns: Turns | None = None) -> None:
        turns = turns or Turns()
        options: CodecOptions[Document] = CodecOptions(tz_aware=False)
        self._database = database.with_options(codec_options=options)
        self._records = self._database[queries.COLLECTION]
        # That something was freed need not be durable: what was replaced is not read, whether it is still there or not.
        self._freed = self._records.with_options(write_concern=WriteConcern(w=1, j=False))
        self._payloads = payloads
        self._removals = Batches(self._remove_several)  # with turns of its own: it may take many commands
        self._contents = Batches(self._any_hold, turns)
        self._found: dict[tuple[Any, Parts], tuple[str, ...]] = {}

    async def exists(self, run_id: str) -> bool:
        """Whether there is such a run, or anything was stored for it."""
        return (
            await self._database["runs"].find_one({"_id": run_id}, {"_id": 1}) is not None
            or await self._records.find_one({"run": run_id}, {"_id": 1}) is not None
        )

    async def get(self, run_id: str, key: str, section: str = "data") -> bytes | None:
        """The value under the key, None when there is none. Raises DataStoreKeyInvalid, PayloadForged."""
        parts = parts_of(key)
        return await _settled(lambda: self._read(run_id, section, parts))

    async def set(self, run_id: str, key: str, value: bytes, section: str, operation_id: str) -> None:
        """Put a value under the key and free what it replaces. Raises DataStoreKeyInvalid."""
        parts = parts_of(key)
        place = {"run": run_id, "section": section, "path": key, "kind": SET}
        rows = await self._look(place, parts, operation_id)
        if rows is None:
            return
        if await self._write(place, value, operation_id, rows):
            before = layout.just_after(_newest(rows))
        else:
            before = await self._time_of(operation_id)
        if before is not None and any(queries.covers(row, parts) for row in rows):
            await self._freed.update_many(queries.replaced(run_id, section, parts, before), queries.tombstone())
            await self._payloads.remove_many(queries.held(rows, parts, before))

    async def push(self, run_id: str, key: str, value: bytes, section: str, operation_id: str) -> None:
        """Append one item to the list under the key. Raises DataStoreKeyInvalid, DataStoreNotAList."""
        await self._append(run_id, key, listed(value), section, operation_id)

    async def extend(self, run_id: str, key: str, values: bytes, section: str, operation_id: str) -> None:
        """Append the items of a list to the list under the key. Raises as push, and InvalidRequest for no list."""
        if kind_of(values) != ARRAY:
            raise InvalidRequest("values", "extend takes a list")
        await self._append(run_id, key, values, section, operation_id)

    async def may_hold(self, run_id: str, section: str = "data") -> bool:
        """Whether a section of a run's data may hold something; that it does not is certain."""
        return await self._contents.one((run_id, section))

    async def _any_hold(self, sections: Sequence[tuple[str, str]]) -> list[bool]:
        """One answer for all: most runs store nothing."""
        any_of = [{"run": run, "section": section} for run, section in sections]
        return [await self._records.find_one({"$or": any_of}, {"_id": 1}) is not None] * len(sections)

    async def remove_data(self, run_id: str, section: str = "data") -> None:
        """Remove a section of a run's data with its blobs."""
        await self._removals.one((run_id, section))

    async def _remove_several(self, sections: Sequence[tuple[str, str]]) -> list[None]:
        for name in {section for _, section in sections}:
            own = {"run": {"$in": [run for run, section in sections if section == name]}, "section": name}
            if await self._records.find_one(own, {"_id": 1}) is None:
                continue  # most runs store nothing, and to delete nothing would wait for the journal all the same
            held = self._records.find({**own, "payload": {"$exists": True}}, {"payload": 1})
            # Blobs first: if this breaks off, their records are still there to find them by.
            await self._payloads.remove_many([record["payload"] async for record in held])
            await self._records.delete_many(own)
        return [None] * len(sections)

    async def _append(self, run_id: str, key: str, items: bytes, section: str, operation_id: str) -> None:
        parts = parts_of(key)
        place = {"run": run_id, "section": section, "path": key, "kind": PUSH}
        rows = await self._look(place, parts, operation_id)
        if rows is not None:
            await self._write(place, items, operation_id, rows)

    async def _look(self, place: Document, parts: Parts, operation_id: str) -> list[Document] | None:
        """What stands where the write goes; None when it may not be done but has been, before that came to stand."""
        check = layout.check_push if place["kind"] == PUSH else layout.check_set

        async def look() -> list[Document]:
            asked = queries.look(place["run"], place["section"], parts, place["kind"])
            rows = await (await self._records.aggregate(asked)).to_list()
            check(parts, [await self._trace(row, parts) for row in rows])
            return rows

        try:
            return await _settled(look)
        except DataStoreGridfsIdInvalid:
            raise
        except LightflowException:
            if await self._records.find_one({"_id": operation_id}, {"_id": 1}) is None:
                raise
            return None

    async def _trace(self, row: Document, parts: Parts) -> Trace:
        """What a row tells; for a large dict, from its blob, which is looked into once for each key."""
        newest, depth = row["newest"], queries.depth_of(row, parts)
        payload = newest.get("payload")
        if payload is None or row["_id"]["kind"] == PUSH or depth > len(parts):
            return queries.trace(row, parts, newest["found"])
        if newest["type"] != DICT or depth == len(parts):
            return queries.trace(row, parts, [newest["type"]])
        place = (payload["blob"], parts[depth:])
        if place not in self._found:
            self._found[place] = layout.found_along(to_tree(await self._payloads.load(payload)), parts[depth:])
            if len(self._found) > REMEMBERED:
                self._found.pop(next(iter(self._found)))
        return queries.trace(row, parts, self._found[place])

    async def _write(self, place: Document, data: bytes, operation_id: str, rows: list[Document]) -> bool:
        """Insert the record; False when this operation has been done before."""
        now = max((row["now"] // 1000 for row in rows), default=0)
        record = {"_id": operation_id, "schema": 1, **place, "at": layout.time_after(_newest(rows), now)}
        if len(data) > INLINE:
            record["type"] = _TYPES.get(kind_of(data), LEAF)
            record["payload"] = await self._payloads.save(data, place["run"], inline=0)
        else:
            record["value"] = tree = to_tree(data)
            if any(pickles(tree)):
                record["signature"] = self._payloads.signer.sign(from_tree(tree), _context(place))
        try:
            await self._records.insert_one(record)
        except DuplicateKeyError:
            await self._payloads.remove(record.get("payload", {}))
            return False
        return True

    async def _time_of(self, operation_id: str) -> Timestamp | None:
        record = await self._records.find_one({"_id": operation_id}, {"at": 1})
        return record.get("at") if record else None

    async def _read(self, run_id: str, section: str, parts: Parts) -> bytes | None:
        folding = Folding()
        own = {"run": run_id, "section": section}
        whole = queries.whole(run_id, section, parts)
        found = self._records.find(whole, queries.CONTENT, batch_size=BATCH).sort(queries.READING_ORDER)
        while batch := await found.to_list(BATCH):
            for record in batch:
                self._verify(record, own)
                folding.add(record)
        if section != meta.SECTION and (held := folding.lone(parts)) is not None:
            return await self._payloads.load(held.payload)
        await asyncio.gather(*(self._load(held) for held in folding.held()))
        value = folding.value(parts)
        if section == meta.SECTION:
            value = layout.merged(await meta.derive(self._database, run_id, parts), value)
        return None if value is NOTHING else from_tree(value)

    def _verify(self, record: Document, own: Document) -> None:
        if "value" in record and any(pickles(record["value"])):
            context = _context({**own, **record})
            self._payloads.signer.verify(from_tree(record["value"]), context, record.get("signature"))

    async def _load(self, held: Held) -> None:
        held.tree = to_tree(await self._payloads.load(held.payload))


def _newest(rows: list[Document]) -> Timestamp | None:
    return max((row["newest"]["at"] for row in rows), default=None)


def _context(place: Document) -> str:
    return f"{place['kind']} of {place['path']} in {place['section']} of {place['run']}"


async def _settled(read: Callable[[], Awaitable[Result]]) -> Result:
    """What `read` gives; a blob that was replaced meanwhile is read anew, one that stays missing is an error."""
    missing = ""
    while True:
        try:
            return await read()
        except DataStoreGridfsIdInvalid as error:
            if str(error) == missing:
                raise
            missing = str(error)
