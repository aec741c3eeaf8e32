"""The twin of RunStore that keeps its records in this process, for the in-process runner and for tests."""

import itertools
from typing import Any

from bson.timestamp import Timestamp

from lightflow.core.errors import InvalidRequest
from lightflow.runtime.datastore import layout
from lightflow.runtime.datastore.folding import Folding
from lightflow.runtime.datastore.layout import NOTHING, PUSH, SET, Parts, Record, Trace, parts_of
from lightflow.runtime.datastore.tree import from_tree, to_tree


class MemoryStore:
    """Reads and writes the data of runs like RunStore; `meta` gives what a run's record says, by run id."""

    def __init__(self, meta: dict[str, dict[str, Any]] | None = None) -> None:
        self._meta = meta if meta is not None else {}
        self._records: dict[str, Record] = {}
        self._done: set[str] = set()
        self._clock = itertools.count(1)

    async def exists(self, run_id: str) -> bool:
        """Whether there is such a run, or anything was stored for it."""
        return run_id in self._meta or any(record["run"] == run_id for record in self._records.values())

    async def get(self, run_id: str, key: str, section: str = "data") -> bytes | None:
        """The value under the key, None when there is none. Raises DataStoreKeyInvalid."""
        parts = parts_of(key)
        folding = Folding()
        for record in self._around(run_id, section, parts):
            folding.add({**record, "value": to_tree(record["value"])})
        value = folding.value(parts)
        if section == "meta":
            value = layout.merged(layout.pick(self._meta.get(run_id, {}), parts), value)
        return None if value is NOTHING else from_tree(value)

    async def set(self, run_id: str, key: str, value: bytes, section: str, operation_id: str) -> None:
        """Put a value under the key and free what it replaces. Raises DataStoreKeyInvalid."""
        to_tree(value)
        before = {record["_id"] for record in self._around(run_id, section, parts_of(key))}
        if self._write(run_id, section, key, SET, value, operation_id):
            for record in self._around(run_id, section, parts_of(key)):
                if record["_id"] in before and _within(record["path"], key):
                    del self._records[record["_id"]]

    async def push(self, run_id: str, key: str, value: bytes, section: str, operation_id: str) -> None:
        """Append one item to the list under the key. Raises DataStoreKeyInvalid, DataStoreNotAList."""
        self._write(run_id, section, key, PUSH, from_tree([to_tree(value)]), operation_id)

    async def extend(self, run_id: str, key: str, values: bytes, section: str, operation_id: str) -> None:
        """Append the items of a list to the list under the key. Raises as push, and InvalidRequest for no list."""
        if type(to_tree(values)) is not list:
            raise InvalidRequest("values", "extend takes a list")
        self._write(run_id, section, key, PUSH, values, operation_id)

    async def remove_data(self, run_id: str, section: str = "data") -> None:
        """Remove a section of a run's data."""
        self._records = {
            id_: record
            for id_, record in self._records.items()
            if (record["run"], record["section"]) != (run_id, section)
        }

    def _around(self, run_id: str, section: str, parts: Parts) -> list[Record]:
        key, above = ".".join(parts), layout.ancestors(parts)
        own = (record for record in self._records.values() if (record["run"], record["section"]) == (run_id, section))
        return [record for record in own if record["path"] in above or _within(record["path"], key)]

    def _write(self, run_id: str, section: str, key: str, kind: str, value: bytes, operation_id: str) -> bool:
        parts = parts_of(key)
        if operation_id in self._done:
            return False
        check = layout.check_push if kind == PUSH else layout.check_set
        newest = {(record["path"], record["kind"]): record for record in self._around(run_id, section, parts)}
        check(parts, [_trace(record, parts) for record in newest.values()])
        place = {"run": run_id, "section": section, "path": key, "kind": kind}
        self._records[operation_id] = {
            "_id": operation_id,
            "at": Timestamp(next(self._clock), 1),
            "value": value,
            **place,
        }
        self._done.add(operation_id)
        return True


def _within(path: str, key: str) -> bool:
    return path == key or path.startswith(f"{key}.")


def _trace(record: Record, parts: Parts) -> Trace:
    depth = record["path"].count(".") + 1
    return Trace(depth, record["kind"], record["at"], layout.found_along(to_tree(record["value"]), parts[depth:]))
