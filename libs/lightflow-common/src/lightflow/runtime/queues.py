"""What redis says of queues: how much waits, and whether it still remembers anything."""

from redis.asyncio import Redis

from lightflow.core.states import Service
from lightflow.runtime.broker import queue_list

MARKER = "lightflow:marker"
"""A key that only a redis that lost its memory lacks."""


class Queues:
    """Questions about the lists of hints."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def length(self, service: Service, queue: str) -> int:
        """How many hints wait."""
        return int(await self._redis.llen(queue_list(service, queue)))

    async def is_empty(self, service: Service, queue: str) -> bool:
        return await self.length(service, queue) == 0

    async def forgot(self) -> bool:
        """Whether redis lost its memory since the last call of anyone; sets the marker again."""
        return bool(await self._redis.set(MARKER, "1", nx=True))
