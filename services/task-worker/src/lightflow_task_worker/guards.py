"""The guardians of a worker, and the process that they are forked from."""

import asyncio
import contextlib
from dataclasses import dataclass

from lightflow.core.errors import LightflowException
from lightflow_task_worker.guard import Guard, GuardianGoneError
from lightflow_task_worker.leftovers import end_orphans

_STARTS = 3


@dataclass(frozen=True, slots=True)
class ChildSettings:
    """`marker` is in the environment of all that the worker starts (leftovers.py); `grace` are the seconds that an
    attempt has after its timeout was raised in it, `max_attempts` those that a child runs before another takes over."""

    marker: str
    grace: float = 5.0
    max_attempts: int | None = None


class Guards:
    """Makes guardians, each in a few milliseconds."""

    def __init__(self, settings: ChildSettings) -> None:
        self.settings = settings
        self._root: Guard | None = None
        self._guardians: set[Guard] = set()
        self._starting = asyncio.Lock()

    async def guard(self) -> Guard:
        """A new guardian; the process it is forked from is started anew should it have died."""
        async with self._starting:
            for _ in range(_STARTS):
                if self._root is None or self._root.gone.done():
                    self._root = await Guard.start(self.settings.marker)
                with contextlib.suppress(GuardianGoneError):
                    self._guardians.add(guardian := await self._root.guard())
                    return guardian
        raise LightflowException(f"the guardian process died {_STARTS} times at its start; its output says why")

    def forget(self, guardian: Guard) -> None:
        """The guardian was closed."""
        self._guardians.discard(guardian)
        if self._root is not None:
            self._root.forget(guardian.pid)

    async def end_orphans_of(self, guardian: Guard) -> None:
        """Return when what a dead guardian left behind is gone: the process it came from inherited it, and ends it."""
        root = self._root
        try:
            if root is not None and root.has_forked(guardian.pid):
                await root.ended(guardian.pid)
                return
        except GuardianGoneError:
            pass  # that process is dead too: what is left can only be found by its marker
        finally:
            self.forget(guardian)
        living = [each.pid for each in (*self._guardians, root) if each is not None and not each.gone.done()]
        await asyncio.to_thread(end_orphans, self.settings.marker, living)

    async def close(self) -> None:
        """End every slot's processes, and the one they came from."""
        if self._root is not None:
            await self._root.close()
        for guardian in self._guardians:
            await guardian.close()
