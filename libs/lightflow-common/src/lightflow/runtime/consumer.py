"""Taking hints: a thread that takes a Celery message from the broker, one at a time, and only while its gate is open.

With the gate shut no message is asked for, so that a worker never holds a hint that it cannot act on. Celery's own
worker is not used: none of what it does with a message on top of this is needed here.
"""

import asyncio
import contextlib
import json
import logging
import math
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from celery import Celery

from lightflow.core.states import Service
from lightflow.runtime.broker import HINT, queue_list
from lightflow.runtime.hints import SCHEMA
from lightflow.runtime.notify import RECONNECT_DELAYS

ASKING = 1
"""Seconds for which redis is asked for a message before it is asked again."""

logger = logging.getLogger(__name__)

Receive = Callable[[list[str]], None]


class Taking:
    """One thread that takes hints while its gate is open; a later one may take its place."""

    def __init__(self, app: Celery, names: Sequence[str], take: Callable[[Any], None]) -> None:
        self._app, self._names, self._take = app, deque(names), take
        self.gate = threading.Event()
        self._retired = threading.Event()
        self._failures = 0
        self._pool: Any = None
        threading.Thread(target=self._work, name="hint-consumer", daemon=True).start()

    def retire(self) -> None:
        """Take nothing more; what redis was asked for is broken off, lest a hint is lost to it."""
        self._retired.set()
        self.gate.set()  # it may wait there
        if self._pool is not None:
            try:
                self._pool.disconnect()
            except Exception as error:  # the thread may be closing the same connection: it is closed either way
                logger.debug("a connection to the broker was closed twice: %r", error)

    def _work(self) -> None:
        while not self._retired.is_set():
            try:
                with self._app.connection_for_read() as connection:
                    tries = max(1, len(connection.alt))  # each of several brokers
                    connection.ensure_connection(max_retries=tries, interval_start=0, interval_step=0, interval_max=0)
                    channel = connection.channel()
                    self._pool = channel.pool
                    self._take_all(channel)
            except Exception as error:  # whatever kombu and its transport raise: it is told, and tried again
                self._failed(error)

    def _take_all(self, channel: Any) -> None:
        seconds = min(ASKING, (channel.socket_timeout or math.inf) / 2)
        with channel.conn_or_acquire() as client:
            while self.gate.wait() and not self._retired.is_set():
                found = client.brpop(list(self._names), seconds)
                self._worked()
                if found is not None:
                    self._names.rotate(-1)  # the first that has one is served: no queue is always the first
                    self.gate.clear()  # before redis is asked again
                    self._take(hint_of(channel, found[1]))

    def _failed(self, error: Exception) -> None:
        if not self._retired.is_set():
            level = logging.DEBUG if self._failures else logging.WARNING
            logger.log(level, "no hints can be taken, which is tried again and again: %s", error)
            self._retired.wait(RECONNECT_DELAYS[min(self._failures, len(RECONNECT_DELAYS) - 1)])
            self._failures += 1

    def _worked(self) -> None:
        if self._failures:
            self._failures = 0
            logger.info("hints can be taken again")


class HintConsumer:
    """Hands the ids of hints to `receive`, on the event loop, one hint for each opening of the gate."""

    def __init__(
        self, make_app: Callable[[], Celery], service: Service, queues: Sequence[str], receive: Receive
    ) -> None:
        self._make_app = make_app
        self._names = [queue_list(service, queue) for queue in queues]
        self._receive = receive
        self._loop = asyncio.get_running_loop()
        self._taking: Taking | None = None
        self.taken = 0

    @property
    def is_open(self) -> bool:
        """Whether the next hint is let in."""
        return self._taking is not None and self._taking.gate.is_set()

    def start(self) -> None:
        """Begin to consume, in a thread; the gate is shut."""
        self._taking = Taking(self._make_app(), self._names, self._take)

    def replace(self) -> None:
        """Leave the consumer that hangs to itself and start another; a hint taken twice costs one look."""
        logger.warning("hints wait and none was taken: the consumer is replaced")
        self.stop()
        self.start()
        self.open()

    def open(self) -> None:
        """Let the next hint in."""
        if self._taking is not None:
            self._taking.gate.set()

    def shut(self) -> None:
        """Let none in until `open`; one that redis has already handed out may still arrive."""
        if self._taking is not None:
            self._taking.gate.clear()

    def stop(self) -> None:
        """Take nothing more, for good."""
        if self._taking is not None:
            self._taking.retire()
            self._taking = None

    def _take(self, hint: Any) -> None:
        """On the consumer's thread."""
        self.taken += 1
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody wants hints any more
            self._loop.call_soon_threadsafe(self._receive, ids_of(hint))


def hint_of(channel: Any, item: bytes) -> Any:
    """The hint in a message as it was in redis; None where that is no message, or not of a hint."""
    try:
        message = channel.message_to_python(json.loads(item))
        message.accept = {"application/json"}
        (hint,), _, _ = message.payload
        return hint if message.headers["task"] == HINT else None
    except Exception as error:  # there is no end to what may be wrong with it
        logger.debug("what is no message was taken from redis: %r", error)
        return None


def ids_of(hint: Any) -> list[str]:
    """The ids in a hint; of one that is malformed or from a newer release, none: a look at nothing costs nothing."""
    if isinstance(hint, dict) and isinstance(hint.get("ids"), list) and _is_known(hint.get("v")):
        return [item for item in hint["ids"] if isinstance(item, str)]
    logger.warning("a hint that is no hint was dropped: %.100r", hint)
    return []


def _is_known(schema: Any) -> bool:
    return isinstance(schema, int) and 1 <= schema <= SCHEMA
