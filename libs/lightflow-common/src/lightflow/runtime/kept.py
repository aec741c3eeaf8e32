"""What never changes and is asked for again and again: made once, and kept while there is room."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Coroutine, Hashable
from typing import Any, Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class Kept(Generic[Key, Value]):
    """The values asked for last; whoever asks for one that is being made waits for the same making."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._values: OrderedDict[Key, asyncio.Task[Value]] = OrderedDict()

    async def get(self, key: Key, make: Callable[[], Coroutine[Any, Any, Value]]) -> Value:
        """The value of a key, made if it is not there. An error is raised to all who wait, and not kept."""
        task = self._values.get(key)
        if task is None:
            task = self._values[key] = asyncio.create_task(make())
            while len(self._values) > self._most:
                self._values.popitem(last=False)
        self._values.move_to_end(key)
        try:
            return await asyncio.shield(task)
        except BaseException:
            if task.done() and self._values.get(key) is task:
                del self._values[key]
            raise

    def drop(self, key: Key) -> None:
        """Make it anew when it is asked for again."""
        self._values.pop(key, None)
