"""What the records above, at and below a key fold to. Built for millions of pushes: of those only items are kept."""

from array import array
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from lightflow.runtime.datastore.layout import NOTHING, SET, Parts, Record, ancestors, assign, pick


@dataclass(slots=True)
class Held:
    """A value that lies in a blob; `tree` is there once it was loaded."""

    payload: dict[str, Any]
    tree: Any = None


@dataclass(slots=True)
class _Pushes:
    """The items pushed at one place, and when each of them was."""

    items: list[Any] = field(default_factory=list)
    times: "array[int]" = field(default_factory=lambda: array("Q"))
    newest: int = 0

    def since(self, time: int) -> Iterator[Any]:
        """The items that were pushed from then on; those of a blob as they lie in it."""
        for item in self.items[bisect_left(self.times, time) :]:
            if type(item) is Held:
                yield from item.tree
            else:
                yield item


class Folding:
    """Takes records in the order of reading; `held` says what to load before `value` is asked."""

    def __init__(self) -> None:
        self._sets: dict[str, tuple[int, Any]] = {}
        self._pushes: dict[str, _Pushes] = {}

    def add(self, record: Record) -> None:
        time = record["at"].time << 32 | record["at"].inc
        value: Any = Held(record["payload"]) if "payload" in record else record["value"]
        if record["kind"] == SET:
            if time >= self._set_at(record["path"]):
                self._sets[record["path"]] = (time, value)
            return
        if (pushes := self._pushes.get(record["path"])) is None:
            pushes = self._pushes[record["path"]] = _Pushes()
        items = [value] if type(value) is Held else value
        pushes.items += items
        pushes.times.extend([time] * len(items))
        pushes.newest = max(pushes.newest, time)

    def held(self) -> list[Held]:
        """The values in blobs that count."""
        found = [value for path, (time, value) in self._sets.items() if time >= self._replaced_at(path)]
        for path, pushes in self._pushes.items():
            found += pushes.items[bisect_left(pushes.times, self._replaced_at(path)) :]
        return [value for value in found if type(value) is Held]

    def lone(self, parts: Parts) -> Held | None:
        """The value in a blob that is all there is under the key, if that is so: it need not be decoded."""
        key = ".".join(parts)
        if self._pushes or list(self._sets) != [key] or type(value := self._sets[key][1]) is not Held:
            return None
        return value

    def value(self, parts: Parts) -> Any:
        """The value under the key, NOTHING when there is none."""
        root: dict[str, Any] = {}
        steps = [(time, path, False) for path, (time, _) in self._sets.items() if time >= self._replaced_at(path)]
        for path, pushes in self._pushes.items():
            since = self._replaced_at(path)
            if pushes.newest >= since:
                first = bisect_left(pushes.times, since)
                steps.append((pushes.times[first] if first < len(pushes.times) else pushes.newest, path, True))
        for _, path, is_push in sorted(steps):
            place = path.split(".")
            if is_push:
                self._append(root, place, path)
            else:
                value = self._sets[path][1]
                assign(root, place, value.tree if type(value) is Held else value)
        return pick(root, parts)

    def _append(self, root: dict[str, Any], place: list[str], path: str) -> None:
        there = pick(root, place)
        if there is NOTHING:
            assign(root, place, there := [])
        # What is no list by now was set while the push was under way: the push came first.
        if type(there) is list:
            there += self._pushes[path].since(self._replaced_at(path))

    def _set_at(self, path: str) -> int:
        return self._sets[path][0] if path in self._sets else 0

    def _replaced_at(self, path: str) -> int:
        """When the newest set at a place or above it was; what is older does not count."""
        return max(self._set_at(place) for place in (*ancestors(tuple(path.split("."))), path))
