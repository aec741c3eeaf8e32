"""Sending hints: messages that say "look there". They carry ids, as JSON, and may be lost without loss."""

import logging
import math
import threading
import time
from collections.abc import Iterable, Sequence
from typing import Any

from celery import Celery

from lightflow.core.ids import new_id
from lightflow.core.states import Service
from lightflow.runtime.broker import HINT, queue_list

SCHEMA = 1
IDS_PER_MESSAGE = 500
ATTEMPT_MESSAGES = 64
"""How many workers one call wakes at the most; a woken worker asks MongoDB for as much as it can take."""
CHECK_EVERY = 16
QUIET = 0.02
"""Seconds after which a worker that was woken has asked MongoDB: the next hint is sent without asking who is awake."""

logger = logging.getLogger(__name__)

Batch = dict[tuple[Service, str], dict[str, None]]


def messages(service: Service, ids: Sequence[str], waiting: int = 0) -> list[list[str]]:
    """The ids of each message: few messages where a look serves many, one per worker to wake where it does not.

    Those that are `waiting` to be taken wake workers, too, and these ask for whatever there is.
    """
    if service is Service.TASK_WORKER:
        count = max(0, min(len(ids), ATTEMPT_MESSAGES) - waiting)
        return [list(ids[start::count][:IDS_PER_MESSAGE]) for start in range(count)]
    return [list(ids[start : start + IDS_PER_MESSAGE]) for start in range(0, len(ids), IDS_PER_MESSAGE)]


_DIRECTLY = {"exchange": "", "serializer": "json", "retry": False}


def _call(hint: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any], dict[str, Any]]:
    """The body of a Celery message: arguments, keywords, and what is embedded."""
    return (hint,), {}, {}


def _headers() -> dict[str, Any]:
    """The headers of a Celery message; what send_task adds takes longer to make than the rest of the message."""
    return {"task": HINT, "id": new_id(), "lang": "py", "ignore_result": True}


def _keep_client(channel: Any) -> None:
    """Have kombu use one redis client for a channel: one for each message takes as long to make as to send it.

    They share a pool of connections anyway.
    """
    if "_create_client" not in vars(channel):
        make, kept = channel._create_client, channel._create_client()
        channel._create_client = lambda asynchronous=False: make(asynchronous) if asynchronous else kept


class Hints:
    """Sends hints from a thread of its own, so that nobody waits for the broker; equal ones coalesce until sent."""

    def __init__(self, app: Celery, bound: int) -> None:
        self._app = app
        self._bound = bound
        self._unchecked: dict[str, int] = {}
        self._found_empty: dict[str, float] = {}
        self._batch: Batch = {}
        self._closing = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="hints", daemon=True)
        self._thread.start()

    def send(self, service: Service, queue: str, ids: Iterable[str]) -> None:
        """Hint at these ids; never blocks and never fails."""
        with self._changed:
            self._batch.setdefault((service, queue), {}).update(dict.fromkeys(ids))
            self._changed.notify()

    def close(self) -> None:
        """Send what is left and end."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join(timeout=2)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._batch or self._closing)
                batch, self._batch = self._batch, {}
            if not batch:
                return
            self._publish(batch)

    def _publish(self, batch: Batch) -> None:
        try:
            with self._app.amqp.producer_pool.acquire(block=True, timeout=5) as producer:
                _keep_client(producer.channel)
                for (service, queue), ids in batch.items():
                    self._publish_to(producer, service, queue, list(ids))
        except Exception as error:  # kombu raises whatever its transport raises, and a hint may be lost
            logger.warning(
                "%d hints were not sent, the sweep will make up for it: %s", sum(map(len, batch.values())), error
            )

    def _publish_to(self, producer: Any, service: Service, queue: str, ids: list[str]) -> None:
        name = queue_list(service, queue)
        if service is Service.TASK_WORKER and not (len(ids) == 1 and self._is_empty(name)):
            waiting = self._waiting(producer, name)
            wanted = messages(service, ids, waiting)[: max(0, self._bound - waiting)]
            if not waiting:
                self._found_empty[name] = time.monotonic()
        else:
            wanted = [] if self._is_full(producer, name) else messages(service, ids)
        for message in wanted:
            producer.publish(_call({"v": SCHEMA, "ids": message}), routing_key=name, headers=_headers(), **_DIRECTLY)

    def _is_empty(self, name: str) -> bool:
        """Whether a queue may be taken for empty, as it was a while ago; once, and then it is asked again."""
        return time.monotonic() - self._found_empty.pop(name, math.inf) > QUIET

    def _waiting(self, producer: Any, name: str) -> int:
        return int(producer.channel.client.llen(name))

    def _is_full(self, producer: Any, name: str) -> bool:
        """Whether enough hints wait already; asked of redis only now and then, because the bound need not be exact."""
        sent = self._unchecked.get(name, 0)
        self._unchecked[name] = (sent + 1) % CHECK_EVERY
        if sent:
            return False
        full = self._waiting(producer, name) >= self._bound
        if full:
            self._unchecked[name] = 0
        return full
