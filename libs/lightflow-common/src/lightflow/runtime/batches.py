"""Steps that come while others are being made go together: one command for many, and none waits for company.

Of all kinds of steps that a process makes, two are being made at once: commands cost more than what is in them.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from lightflow.runtime.process import UNREACHABLE

AT_ONCE = 100

MADE_AT_ONCE = 2
"""So many kinds: where one takes long, the other goes on. With three a burst of runs takes a tenth more commands."""

Step = TypeVar("Step")
Result = TypeVar("Result")


class Turns(asyncio.Semaphore):
    """Whose turn it is to make steps, among those who share these."""

    def __init__(self) -> None:
        super().__init__(MADE_AT_ONCE)


@dataclass
class Batches(Generic[Step, Result]):
    """Makes steps. `make` takes several and gives, in their order, what came of each: a result, or what is wrong."""

    make: Callable[[list[Step]], Awaitable[Sequence[Result | Exception]]]
    turns: Turns = field(default_factory=Turns)
    _waiting: list[tuple[Step, "asyncio.Future[Result]"]] = field(default_factory=list)
    _making: "asyncio.Task[None] | None" = None

    async def one(self, step: Step) -> Result:
        """What came of a step; raises what is wrong with it, or became of the command that it was part of."""
        done: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._waiting.append((step, done))
        if self._making is None or self._making.done():
            self._making = asyncio.create_task(self._make())
        return await done

    async def _make(self) -> None:
        while self._waiting:
            async with self.turns:
                batch, self._waiting = self._waiting[:AT_ONCE], self._waiting[AT_ONCE:]
                try:
                    results = await self._results([step for step, _ in batch])
                except BaseException:  # cancelled: so are they
                    for _, done in batch:
                        done.cancel()
                    raise
            for (_, done), result in zip(batch, results, strict=True):
                _settle(done, result)
        self._making = None

    async def _results(self, steps: list[Step]) -> Sequence[Result | Exception]:
        try:
            results = await self.make(steps)
            assert len(results) == len(steps), f"{len(steps)} steps came to {len(results)} results"
            return results
        except UNREACHABLE as error:
            return [error] * len(steps)
        except Exception as error:
            # Only one of them may be to blame: by itself each tells. All are safe to repeat.
            return [error] if len(steps) == 1 else [(await self._results([step]))[0] for step in steps]


def _settle(done: "asyncio.Future[Any]", result: Any) -> None:
    if done.cancelled():
        return
    if isinstance(result, Exception):
        done.set_exception(result)
    else:
        done.set_result(result)
