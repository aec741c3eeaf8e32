"""Taking hints: a Celery worker in a thread of its own that takes one only while its gate is open.

With the gate shut no message is asked for, so that a worker never holds a hint that it cannot act on.
"""

import asyncio
import contextlib
import logging
import os
import threading
from collections.abc import Callable, Sequence
from typing import Any

from celery import Celery, bootsteps
from celery.exceptions import WorkerShutdown
from celery.worker import WorkController
from kombu.entity import Queue

from lightflow.core.states import Service
from lightflow.runtime.broker import HINT, queue_list
from lightflow.runtime.hints import SCHEMA

RESTART_DELAY = 0.1
"""Seconds before a consumer that ended is started again: should it end at once, that costs next to nothing."""

logger = logging.getLogger(__name__)

Receive = Callable[[list[str]], None]


class Gate(bootsteps.StartStopStep):  # type: ignore[misc]  # celery publishes no types
    """Makes a Celery consumer ask before it asks redis, and wakes its event loop when the answer changes."""

    requires = ("celery.worker.consumer.tasks:Tasks",)

    def start(self, parent: Any) -> None:
        generation: Generation = parent.app.lightflow_generation
        qos = parent.task_consumer.channel.qos
        can_consume = qos.can_consume
        qos.can_consume = lambda: generation.wants() and can_consume()
        qos.ack = lambda _: None  # nothing was noted down when it was taken
        parent.hub.add_reader(generation.wake_descriptor, generation.woken, generation.wake_descriptor)

    def stop(self, parent: Any) -> None:
        parent.hub.remove(parent.app.lightflow_generation.wake_descriptor)


class Generation:
    """One Celery worker, in its thread; a later one may take its place. `ended` is told when it ends by itself."""

    def __init__(
        self,
        app: Celery,
        names: Sequence[str],
        wants: Callable[[], bool],
        take: Callable[[Any], None],
        ended: Callable[["Generation"], None],
    ) -> None:
        self.retired = False
        self._wants, self._ended = wants, ended
        self._open = threading.Lock()
        self.wake_descriptor, wake = os.pipe()
        os.set_blocking(wake, False)
        self._wake: int | None = wake
        app.lightflow_generation = self
        app.steps["consumer"].add(Gate)
        # A hint that is lost costs a sweep; keeping account of those under way would cost more than the rest of it.
        app.conf.task_queues = [Queue(name, routing_key=name, no_ack=True) for name in names]  # type: ignore[no-untyped-call]  # kombu is untyped
        app.conf.task_default_queue = names[0]
        app.task(name=HINT, shared=False)(take)
        worker = WorkController(
            app=app,
            pool_cls="solo",
            concurrency=1,
            without_gossip=True,
            without_mingle=True,
            without_heartbeat=True,
            hostname=f"hints@{os.getpid()}",
        )
        threading.Thread(target=self._work, args=(app, worker), name="hint-consumer", daemon=True).start()

    def _work(self, app: Celery, worker: WorkController) -> None:
        app.set_current()  # Celery looks its tasks up in the current application of the thread
        try:
            worker.start()
        finally:
            with self._open:
                wake, self._wake = self._wake, None
            for descriptor in (self.wake_descriptor, wake):
                if descriptor is not None:
                    os.close(descriptor)
            if not self.retired:
                self._ended(self)

    def wants(self) -> bool:
        return not self.retired and self._wants()

    def wake(self) -> None:
        try:
            with self._open:
                if self._wake is not None:
                    os.write(self._wake, b"x")
        except BlockingIOError:
            logger.debug("the consumer has not yet noticed earlier wake-ups")

    def woken(self, descriptor: int) -> None:
        os.read(descriptor, 4096)
        if self.retired:
            raise WorkerShutdown(0)


class HintConsumer:
    """Hands the ids of hints to `receive`, on the event loop, one hint for each opening of the gate."""

    def __init__(
        self, make_app: Callable[[], Celery], service: Service, queues: Sequence[str], receive: Receive
    ) -> None:
        self._make_app = make_app
        self._names = [queue_list(service, queue) for queue in queues]
        self._receive = receive
        self._loop = asyncio.get_running_loop()
        self._generation: Generation | None = None
        self.is_open = False
        self.taken = 0

    def start(self) -> None:
        """Begin to consume, in a thread."""
        self._generation = Generation(self._make_app(), self._names, lambda: self.is_open, self._take, self._ended)

    def replace(self) -> None:
        """Leave the consumer that hangs to itself and start another; a hint taken twice costs one look."""
        logger.warning("hints wait and none was taken: the consumer is replaced")
        self._retire()
        self.start()

    def open(self) -> None:
        """Let the next hint in."""
        if not self.is_open:
            self.is_open = True
            if self._generation is not None:
                self._generation.wake()

    def shut(self) -> None:
        """Let none in until `open`; one that redis has already handed out may still arrive."""
        self.is_open = False

    def stop(self) -> None:
        """Take nothing more, for good."""
        self.is_open = False
        self._retire()

    def _retire(self) -> None:
        if self._generation is not None:
            self._generation.retired = True
            self._generation.wake()

    def _ended(self, generation: Generation) -> None:
        """On the consumer's thread: it ended of something in the queue that is no message, which it has taken along."""
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody wants hints any more
            self._loop.call_soon_threadsafe(self._loop.call_later, RESTART_DELAY, self._start_again, generation)

    def _start_again(self, ended: Generation) -> None:
        if self._generation is ended and not ended.retired:
            logger.warning("the consumer of hints ended, and is started again")
            self.start()

    def _take(self, hint: Any) -> None:
        """The body of the one Celery task, on the consumer's thread: shut the gate before redis is asked again."""
        self.is_open = False
        self.taken += 1
        self._loop.call_soon_threadsafe(self._receive, ids_of(hint))


def ids_of(hint: Any) -> list[str]:
    """The ids in a hint; of one that is malformed or from a newer release, none: a look at nothing costs nothing."""
    if isinstance(hint, dict) and hint.get("v") in range(1, SCHEMA + 1) and isinstance(hint.get("ids"), list):
        return [item for item in hint["ids"] if isinstance(item, str)]
    logger.warning("a hint that is no hint was dropped: %.100r", hint)
    return []
