"""The twin of RunStore that keeps its records in this process, for the in-process runner and for tests."""

import itertools
from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from bson.timestamp import Timestamp

from lightflow.core.errors import InvalidRequest
from lightflow.runtime.datastore import layout
from lightflow.runtime.datastore.folding import Folding
from lightflow.runtime.datastore.layout import NOTHING, PUSH, SET, Parts, Record, Trace, parts_of
from lightflow.runtime.datastore.tree import from_tree, to_tree


class Places:
    """The records of one section of a run, by path and kind, each in the order of writing."""

    def __init__(self) -> None:
        self._records: dict[str, dict[str, list[Record]]] = {}
        self._paths: list[str] = []  # in order, so that what is below a key lies side by side

    def add(self, record: Record) -> None:
        path = record["path"]
        if path not in self._records:
            self._records[path] = {}
            insort(self._paths, path)
        self._records[path].setdefault(record["kind"], []).append(record)

    def around(self, parts: Parts) -> Iterator[list[Record]]:
        """The records above, at and below a key, those of one path and kind together."""
        key = ".".join(parts)
        for path in (*layout.ancestors(parts), key, *self._paths[self._below(key)]):
            yield from self._records.get(path, {}).values()

    def drop(self, key: str) -> None:
        """Forget what is at a key and below it."""
        if key in self._records:
            self._records[key].clear()
        below = self._below(key)
        for path in self._paths[below]:
            del self._records[path]
        del self._paths[below]

    def _below(self, key: str) -> slice:
        return slice(bisect_left(self._paths, f"{key}."), bisect_left(self._paths, f"{key}/"))  # "/" follows "."


class MemoryStore:
    """Reads and writes the data of runs like RunStore; `meta` gives what a run's record says, by run id."""

    def __init__(self, meta: dict[str, dict[str, Any]] | None = None) -> None:
        self._meta = meta if meta is not None else {}
        self._sections: dict[tuple[str, str], Places] = defaultdict(Places)
        self._done: set[str] = set()
        self._clock = itertools.count(1)

    async def exists(self, run_id: str) -> bool:
        """Whether there is such a run, or anything was stored for it."""
        return run_id in self._meta or any(run == run_id for run, _ in self._sections)

    async def get(self, run_id: str, key: str, section: str = "data") -> bytes | None:
        """The value under the key, None when there is none. Raises DataStoreKeyInvalid."""
        parts = parts_of(key)
        folding = Folding()
        places = self._sections.get((run_id, section), Places())
        for record in itertools.chain.from_iterable(places.around(parts)):
            folding.add({**record, "value": to_tree(record["value"])})
        value = folding.value(parts)
        if section == "meta":
            value = layout.merged(layout.pick(self._meta.get(run_id, {}), parts), value)
        return None if value is NOTHING else from_tree(value)

    async def set(self, run_id: str, key: str, value: bytes, section: str, operation_id: str) -> None:
        """Put a value under the key and free what it replaces. Raises DataStoreKeyInvalid."""
        to_tree(value)
        self._write(run_id, section, key, SET, value, operation_id)

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
        self._sections.pop((run_id, section), None)

    def _write(self, run_id: str, section: str, key: str, kind: str, value: bytes, operation_id: str) -> None:
        parts = parts_of(key)
        if operation_id in self._done:
            return
        check = layout.check_push if kind == PUSH else layout.check_set
        places = self._sections[run_id, section]
        check(parts, [_trace(records[-1], parts) for records in places.around(parts)])
        if kind == SET:
            places.drop(key)
        at = Timestamp(next(self._clock), 1)
        places.add({"_id": operation_id, "at": at, "path": key, "kind": kind, "value": value})
        self._done.add(operation_id)


def _trace(record: Record, parts: Parts) -> Trace:
    depth = record["path"].count(".") + 1
    return Trace(depth, record["kind"], record["at"], layout.found_along(to_tree(record["value"]), parts[depth:]))
