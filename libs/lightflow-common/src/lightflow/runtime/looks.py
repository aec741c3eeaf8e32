"""Looking at things when hinted: hints for the same thing coalesce, and looks at one thing never overlap."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable

logger = logging.getLogger(__name__)

DELAYS = (0.05, 0.2, 1.0, 3.0)
"""Seconds before a look that could not be finished is repeated; after the last, the sweep takes over."""


class Looks:
    """Runs `look(id)` for every id added, at most `limit` at a time."""

    def __init__(self, look: Callable[[str], Awaitable[None]], limit: int, on_change: Callable[[int], None]) -> None:
        self._look = look
        self._limit = limit
        self._on_change = on_change
        self._waiting: dict[str, None] = {}
        self._running: dict[str, asyncio.Task[None]] = {}
        self._failures: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._waiting) + len(self._running)

    def add(self, ids: Iterable[str]) -> None:
        """Look at these soon; what is being looked at is looked at once more afterwards."""
        self._waiting.update(dict.fromkeys(ids))
        self._fill()

    async def close(self) -> None:
        """Finish the looks under way, begin none."""
        self._waiting.clear()
        self._limit = 0
        await asyncio.gather(*self._running.values(), return_exceptions=True)

    def _fill(self) -> None:
        for item in [item for item in self._waiting if item not in self._running][
            : max(0, self._limit - len(self._running))
        ]:
            del self._waiting[item]
            self._running[item] = asyncio.create_task(self._run(item))
        self._on_change(len(self))

    async def _run(self, item: str) -> None:
        try:
            await self._look(item)
            self._failures.pop(item, None)
        except Exception as error:  # whatever it was, it is told and the look is repeated
            self._repeat(item, error)
        finally:
            del self._running[item]
            self._fill()

    def _repeat(self, item: str, error: Exception) -> None:
        failures = self._failures.get(item, 0)
        if failures >= len(DELAYS):
            self._failures.pop(item, None)
            logger.error("giving up on %s until the sweep finds it again", item, exc_info=error)
            return
        logger.warning("the look at %s was not finished: %s: %s", item, type(error).__name__, error)
        self._failures[item] = failures + 1
        asyncio.get_running_loop().call_later(DELAYS[failures], self.add, [item])
