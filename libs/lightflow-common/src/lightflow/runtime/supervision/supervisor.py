"""Keeps processes alive together: all start at once, and they end stage by stage."""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lightflow.runtime.supervision.keeper import Keeper
from lightflow.runtime.supervision.living import ProcessInfo
from lightflow.runtime.supervision.processes import ProcessSpec, keep_short

START_LIMIT = 60.0
LOGS_SEEN_TO = 60.0
"""Seconds between two looks at how long the logs are."""

logger = logging.getLogger(__name__)


class Supervisor:
    """`stages` are the processes in the order in which they end; `changed` is called whenever one has news.

    `stop` asks for an orderly end, `hurry` cuts the graces short.
    """

    def __init__(
        self, stages: Sequence[Sequence[ProcessSpec]], inherited: Mapping[str, str], changed: Callable[[], None]
    ) -> None:
        self.stop = asyncio.Event()
        self.hurry = asyncio.Event()
        self._stages = [[Keeper(spec, inherited, changed) for spec in stage] for stage in stages]
        self._tasks: dict[Keeper, asyncio.Task[None]] = {}

    @property
    def processes(self) -> tuple[ProcessInfo, ...]:
        """What there is to tell about each process, those that end last first."""
        return tuple(keeper.info for stage in reversed(self._stages) for keeper in stage)

    async def run(self, on_ready: Callable[[], None]) -> None:
        """Run until told to stop or one ends for good; raises ProcessNotReady when they do not come up.

        Nothing is left in any case.
        """
        keepers = [keeper for stage in self._stages for keeper in stage]
        self._tasks = {keeper: asyncio.create_task(keeper.keep()) for keeper in keepers}
        stopped = asyncio.create_task(self.stop.wait())
        started = asyncio.create_task(self._all_ready(keepers))
        logs = asyncio.create_task(self._keep_logs_short(keepers))
        try:
            await self._first_of({stopped, started}, START_LIMIT)
            if not any(task.done() for task in (started, stopped, *self._tasks.values())):
                late = next(keeper for keeper in keepers if not keeper.ready.is_set())
                raise late.not_ready(f"was not ready in {START_LIMIT:g} s")
            if started.done():
                on_ready()
                await self._first_of({stopped}, None)
        except BaseException:
            self.hurry.set()
            raise
        finally:
            stopped.cancel()
            started.cancel()
            logs.cancel()
            await self._end()

    async def _first_of(self, awaited: set[asyncio.Task[Any]], limit: float | None) -> None:
        """Wait for one of these; a keeper that fails raises its error here."""
        done, _ = await asyncio.wait(
            {*awaited, *self._tasks.values()}, timeout=limit, return_when=asyncio.FIRST_COMPLETED
        )
        for task in done:
            task.result()

    async def _all_ready(self, keepers: list[Keeper]) -> None:
        for keeper in keepers:
            await keeper.ready.wait()

    async def _keep_logs_short(self, keepers: list[Keeper]) -> None:
        while True:
            await asyncio.sleep(LOGS_SEEN_TO)
            for log in [keeper.spec.log for keeper in keepers if keeper.spec.log is not None]:
                try:
                    await asyncio.to_thread(keep_short, log)
                except OSError as error:
                    logger.warning("%s stays as long as it is: %s", log, error)

    async def _end(self) -> None:
        for stage in self._stages:
            await asyncio.gather(*(keeper.end(self._tasks[keeper], self.hurry) for keeper in stage))
