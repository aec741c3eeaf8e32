"""What never changes and is asked for again and again: made once, and kept while there is room."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Coroutine, Hashable
from typing import Any, Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


def _one(_: object) -> int:
    return 1


class Kept(Generic[Key, Value]):
    """The values asked for last, `most` of them, or as many as are of that `size` together; at least the last one.

    Whoever asks for a value that is being made waits for the same making.
    """

    def __init__(self, most: int, size: Callable[[Value], int] = _one) -> None:
        self._most = most
        self._size = size
        self._values: OrderedDict[Key, asyncio.Task[Value]] = OrderedDict()
        self._sizes: dict[Key, int] = {}
        self._total = 0

    async def get(self, key: Key, make: Callable[[], Coroutine[Any, Any, Value]]) -> Value:
        """The value of a key, made if it is not there. An error is raised to all who wait, and not kept."""
        task = self._values.get(key)
        if task is None:
            task = self._values[key] = asyncio.create_task(make())
            task.add_done_callback(lambda made: self._count(key, made))
        self._values.move_to_end(key)
        return await asyncio.shield(task)

    def drop(self, key: Key) -> None:
        """Make it anew when it is asked for again."""
        self._values.pop(key, None)
        self._total -= self._sizes.pop(key, 0)

    def _count(self, key: Key, made: "asyncio.Task[Value]") -> None:
        if self._values.get(key) is not made:
            return
        if made.cancelled() or made.exception() is not None:
            self.drop(key)
            return
        self._sizes[key] = self._size(made.result())
        self._total += self._sizes[key]
        while self._total > self._most and len(self._sizes) > 1:
            self.drop(next(oldest for oldest in self._values if oldest in self._sizes))
