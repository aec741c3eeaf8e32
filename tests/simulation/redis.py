"""A redis in memory: lists of hints, one marker, a channel. It may be emptied, be away, and lose its connections."""

import asyncio
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Any

from redis.exceptions import ConnectionError as RedisConnectionError
from tests.simulation.faults import KILLS, Fault
from tests.simulation.process import Process

from lightflow.runtime.failpoints import step_under_way

if TYPE_CHECKING:
    from tests.simulation.world import World


class Redis:
    """What all processes share."""

    def __init__(self) -> None:
        self.lists: dict[str, deque[Any]] = defaultdict(deque)
        self.keys: set[str] = set()
        self.listeners: dict[Listener, None] = {}  # in order: a set would have one that differs from process to process
        self.on_push: list[Callable[[], None]] = []
        self.is_down = False

    def push(self, name: str, hint: Any) -> None:
        if not self.is_down:
            self.lists[name].append(hint)
            self.poke()

    def poke(self) -> None:
        for consume in list(self.on_push):
            consume()

    def forget(self) -> None:
        """FLUSHALL."""
        self.lists.clear()
        self.keys.clear()

    def disconnect(self) -> None:
        """Every connection breaks."""
        for listener in list(self.listeners):
            listener.messages.put_nowait(None)


class Client:
    """The part of redis-py that the services use, for one process."""

    def __init__(self, world: "World", process: Process) -> None:
        self._world = world
        self._redis = world.redis
        self._process = process
        self._fault: Fault | None = None

    def reach(self) -> None:
        if not self._process.alive:
            raise asyncio.CancelledError
        if self._redis.is_down:
            raise RedisConnectionError("redis is down")

    def strike(self, phase: Fault) -> None:
        """Die here, where it is this send's turn."""
        if phase is Fault.KILL_BEFORE:
            self._fault = self._world.faults.strike(step_under_way(), KILLS)
        if self._fault is phase:
            self._world.tell(f"{phase} a notification of {self._process.name}")
            self._world.kill(self._process)
            raise asyncio.CancelledError

    async def llen(self, name: str) -> int:
        self.reach()
        return len(self._redis.lists[name])

    async def set(self, name: str, _: str, *, nx: bool) -> bool:
        self.reach()
        is_new = name not in self._redis.keys
        self._redis.keys.add(name)
        return is_new

    def pipeline(self, *, transaction: bool) -> "Pipeline":
        assert not transaction, "notifications need none"
        return Pipeline(self._redis, self)

    def pubsub(self) -> "Listener":
        return Listener(self._redis, self)

    async def aclose(self) -> None:
        """Nothing to close."""


class Pipeline:
    """Messages that are published together."""

    def __init__(self, redis: Redis, client: Client) -> None:
        self._redis = redis
        self._client = client
        self._messages: list[tuple[str, str]] = []

    async def __aenter__(self) -> "Pipeline":
        return self

    async def __aexit__(self, *_: object) -> None:
        """Nothing to give back."""

    def publish(self, channel: str, message: str) -> None:
        self._messages.append((channel, message))

    async def execute(self) -> None:
        self._client.reach()
        self._client.strike(Fault.KILL_BEFORE)
        for listener in list(self._redis.listeners):
            for channel, message in self._messages:
                if channel in listener.channels:
                    listener.messages.put_nowait({"type": "message", "data": message})
        self._client.strike(Fault.KILL_AFTER)


class Listener:
    """A subscription to channels."""

    def __init__(self, redis: Redis, client: Client) -> None:
        self._redis = redis
        self._client = client
        self.channels: tuple[str, ...] = ()
        self.messages: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()

    async def __aenter__(self) -> "Listener":
        return self

    async def __aexit__(self, *_: object) -> None:
        self._redis.listeners.pop(self, None)

    async def subscribe(self, *channels: str) -> None:
        self._client.reach()
        self.channels = channels
        self._redis.listeners[self] = None
        for count in range(1, len(channels) + 1):
            self.messages.put_nowait({"type": "subscribe", "data": count})

    async def listen(self) -> AsyncIterator[dict[str, Any]]:
        while True:
            message = await self.messages.get()
            if message is None or self._redis.is_down:
                raise RedisConnectionError("the connection broke")
            yield message
