"""Notifications over redis: they only say "look"; whoever gets one reads the facts from MongoDB.

A notification that is lost costs its receiver the wait until its own slow check, and after a reconnect every
subscriber is woken, because anything may have been missed.
"""

import asyncio
import contextlib
import json
import logging
from collections import defaultdict
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from redis.asyncio import Redis
from redis.exceptions import RedisError

from lightflow.config import Config
from lightflow.runtime.cancellation import end_tasks

CHANNEL = "lightflow:look"
PROGRESS_CHANNEL = "lightflow:progress"
PROGRESS = frozenset({"begun", "run", "dag", "task", "log"})
"""Kinds that concern whoever watches: a channel of their own spares all others most of what is published."""

BREATH = 0.02
"""Seconds between two sendings, in which equal looks of a busy time become one."""

PATIENT = frozenset({"begun", "task", "log"})
"""Kinds that may wait as long: there are many of them, and nobody waits for a single one, but for the end of a run."""

HELD = 1000
"""Looks kept for a subscriber that does not read; with more it is told that it missed some."""

RECONNECT_DELAYS = (0.05, 0.1, 0.2, 0.5, 1.0)

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Look:
    """Something to look at: its kind and ids; `missed` marks a reconnect, after which all ids are suspects."""

    kind: str
    ids: dict[str, str] = field(default_factory=dict)
    missed: bool = False


def signal_url(config: Config) -> str:
    """The redis URL of the `signal` section."""
    signal = config.signal
    if signal.get("uri"):
        return str(signal["uri"])
    password = f":{quote(signal['password'], safe='')}@" if signal.get("password") else ""
    return f"redis://{password}{signal['host']}:{signal['port']}/{signal.get('database') or 0}"


def connect_redis(config: Config) -> Redis:
    """A client for notifications and for questions about queues; its errors surface at once."""
    return Redis.from_url(
        signal_url(config),
        socket_connect_timeout=5,
        health_check_interval=30,
        decode_responses=True,
        encoding_errors="replace",  # what is no text was sent by nobody here, and must not end the reading
    )


class Subscription:
    """The looks of some kinds, as they come."""

    def __init__(self, kinds: frozenset[str]) -> None:
        self.kinds = kinds
        self._looks: list[Look] = []
        self._arrived = asyncio.Event()

    def offer(self, look: Look) -> None:
        if look.missed or look.kind in self.kinds:
            if len(self._looks) >= HELD:
                self._looks = [Look("overflow", missed=True)]
            else:
                self._looks.append(look)
            self._arrived.set()

    async def wait(self, timeout: float | None = None) -> list[Look]:
        """What has arrived since the last call; waits for the first, at most `timeout` seconds, then returns []."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                await self._arrived.wait()
        looks, self._looks = self._looks, []
        self._arrived.clear()
        return looks

    async def __aiter__(self) -> AsyncIterator[Look]:
        while True:
            for look in await self.wait():
                yield look


class Notifier:
    """Publishes and receives looks over one connection each; `hears` while it would be told of any."""

    def __init__(self, redis: Redis, *, watches: bool = True) -> None:
        self._redis = redis
        self._channels = (CHANNEL, PROGRESS_CHANNEL) if watches else (CHANNEL,)
        self._subscriptions: dict[Subscription, None] = {}
        self._pending: dict[tuple[str, str], None] = {}
        self._wake = asyncio.Event()
        self._urgent = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self.hears = False

    async def start(self) -> None:
        self._tasks = [asyncio.create_task(self._send()), asyncio.create_task(self._receive())]

    async def close(self) -> None:
        await end_tasks(self._tasks)
        await self._flush()
        await self._redis.aclose()

    async def publish(self, kind: str, **ids: str) -> None:
        """Tell whoever listens to look; equal looks that wait to be sent become one, and all go together."""
        channel = PROGRESS_CHANNEL if kind in PROGRESS else CHANNEL
        self._pending[channel, json.dumps({"kind": kind, **ids}, sort_keys=True)] = None
        self._wake.set()
        if kind not in PATIENT:
            self._urgent.set()

    @contextlib.asynccontextmanager
    async def subscribe(self, *kinds: str) -> AsyncIterator[Subscription]:
        """The looks of these kinds from now on; progress is told to who `watches`."""
        assert PROGRESS_CHANNEL in self._channels or PROGRESS.isdisjoint(kinds), "nothing would come"
        subscription = Subscription(frozenset(kinds))
        self._subscriptions[subscription] = None
        try:
            yield subscription
        finally:
            self._subscriptions.pop(subscription, None)

    async def _send(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            await self._flush()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(BREATH):
                    await self._urgent.wait()
            self._urgent.clear()

    async def _flush(self) -> None:
        pending, self._pending = list(self._pending), {}
        if not pending:
            return
        by_channel: dict[str, list[str]] = defaultdict(list)
        for channel, look in pending:
            by_channel[channel].append(look)
        try:
            async with self._redis.pipeline(transaction=False) as pipeline:
                for channel, looks in by_channel.items():
                    pipeline.publish(channel, f"[{','.join(looks)}]")
                await pipeline.execute()
        except (RedisError, OSError) as error:
            logger.warning("redis did not take %d notifications: %s", len(pending), error)

    async def _receive(self) -> None:
        failures = 0
        while True:
            try:
                async with self._redis.pubsub() as pubsub:
                    await pubsub.subscribe(*self._channels)
                    async for message in pubsub.listen():
                        if message["type"] == "subscribe":
                            if message["data"] == len(self._channels):
                                self.hears = True
                                self._offer(Look("reconnected", missed=True))
                                failures = 0
                        else:
                            for look in _parse(message):
                                self._offer(look)
            except (RedisError, OSError) as error:
                if failures % 60 == 0:  # once, then about once a minute
                    logger.warning("no notifications from redis: %s", error)
            self.hears = False
            await asyncio.sleep(RECONNECT_DELAYS[min(failures, len(RECONNECT_DELAYS) - 1)])
            failures += 1

    def _offer(self, look: Look) -> None:
        for subscription in tuple(self._subscriptions):
            subscription.offer(look)


def _parse(message: dict[str, Any]) -> list[Look]:
    try:
        said = json.loads(message["data"])
    except ValueError:
        said = None
    if isinstance(said, dict):  # by a release that told one look at a time
        said = [said]
    if isinstance(said, list) and all(isinstance(each, dict) and "kind" in each for each in said):
        return [Look(str(each.pop("kind")), {key: str(value) for key, value in each.items()}) for each in said]
    logger.warning("a notification that nobody here could have sent was dropped: %.100r", message["data"])
    return []
