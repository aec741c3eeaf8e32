"""Alive means consuming: a consumer that hangs after a hiccup of the broker is noticed and replaced."""

import asyncio
import logging
import time
from collections.abc import Sequence

from redis.exceptions import RedisError

from lightflow.core.states import Service
from lightflow.runtime.consumer import HintConsumer
from lightflow.runtime.queues import Queues

logger = logging.getLogger(__name__)


class ConsumerWatch:
    """Notices a consumer that takes nothing although hints wait and its gate is open, and replaces it."""

    def __init__(self, consumer: HintConsumer, service: Service, served: Sequence[str], queues: Queues) -> None:
        self._consumer = consumer
        self._service = service
        self._served = served
        self._queues = queues
        self._suspected_at: int | None = None
        self._last_taken: int | None = None
        self._checked = time.monotonic()
        self.hangs = 0
        """At how many checks in a row hints waited and none had been taken since the one before."""

    def since_check(self) -> float:
        """Seconds since redis last said how many hints wait."""
        return time.monotonic() - self._checked

    async def check(self) -> None:
        """To be called once a sweep: at the second in a row without a hint taken, the consumer is replaced."""
        waiting = sum([await self._queues.length(self._service, queue) for queue in self._served])
        self._checked = time.monotonic()
        suspect = self._consumer.is_open and waiting > 0
        moved = self._last_taken != self._consumer.taken
        self._last_taken = self._consumer.taken
        self.hangs = self.hangs + 1 if suspect and not moved else 0
        if suspect and self._suspected_at == self._consumer.taken:
            self._consumer.replace()
            suspect = False
        self._suspected_at = self._consumer.taken if suspect else None

    async def keep(self, interval: float) -> None:
        """Check every `interval` seconds, for ever."""
        while True:
            await asyncio.sleep(interval)
            await self.check_or_tell()

    async def check_or_tell(self) -> None:
        """Check; where redis cannot be asked, the log says so."""
        try:
            await self.check()
        except (RedisError, OSError) as error:
            logger.warning("redis could not be asked whether hints wait: %s", error)
