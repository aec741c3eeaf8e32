"""A service's account of itself, for `lightflow.runtime.health`."""

import asyncio
import logging
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from lightflow.runtime import health
from lightflow.runtime.consumer_watch import ConsumerWatch

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Pulse:
    """Writes how this service is, every `interval` seconds, where the environment names a file for it."""

    watch: ConsumerWatch
    since_renewal: Callable[[], float]
    interval: float

    async def keep(self) -> None:
        """Write for ever."""
        name = os.environ.get(health.FILE)
        while name:
            try:
                health.write(Path(name), self._report())
            except OSError as error:
                logger.warning("how this service is was not written to %s: %s", name, error.strerror)
            await asyncio.sleep(self.interval)
        await asyncio.Event().wait()

    def _report(self) -> dict[str, object]:
        redis, mongodb = self.watch.since_check(), self.since_renewal()
        return health.report(time.monotonic(), self.interval, redis=redis, mongodb=mongodb, hangs=self.watch.hangs)
