"""Alive means consuming: a consumer that hangs after a hiccup of the broker is noticed and replaced."""

import asyncio
import logging
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

    async def check(self) -> None:
        """To be called once a sweep: at the second in a row without a hint taken, the consumer is replaced."""
        waiting = sum([await self._queues.length(self._service, queue) for queue in self._served])
        hangs = self._consumer.is_open and waiting > 0
        if hangs and self._suspected_at == self._consumer.taken:
            self._consumer.replace()
            hangs = False
        self._suspected_at = self._consumer.taken if hangs else None

    async def keep(self, interval: float) -> None:
        """Check every `interval` seconds, for ever."""
        while True:
            await asyncio.sleep(interval)
            try:
                await self.check()
            except (RedisError, OSError) as error:
                logger.warning("redis could not be asked whether hints wait: %s", error)
