"""Several streams of the control service read as one sequence, each by a thread of its own."""

import threading
import time
from collections.abc import Callable, Iterator
from queue import Empty, SimpleQueue
from typing import Any, NamedTuple

from lightflow.cli.interrupts import interrupts

PATIENCE = 30.0
"""Seconds for which a stream that was cut is opened again before its error counts."""

_PAUSE = 0.2


class Happened(NamedTuple):
    """One thing that happened; `stream` is "" for Ctrl-C."""

    stream: str
    kind: str  # message, reopened, ended or interrupted
    value: Any = None


class Streams:
    """Reads streams in threads, through outages of the service."""

    def __init__(self, **opens: Callable[[], Iterator[Any]]) -> None:
        # A SimpleQueue, because its put may interrupt its own get: a signal handler puts here too.
        self._inbox: SimpleQueue[Happened] = SimpleQueue()
        self._opens = opens
        self._closing = threading.Event()

    def read(self, patience_at_end: float = 10.0) -> Iterator[Happened]:
        """Everything that happens, until all streams have ended; raises what ended a stream early.

        When the first of the streams (in the order given) has ended, the others have `patience_at_end` seconds left.
        """
        first = next(iter(self._opens))
        open_ones = set(self._opens)
        for name, opened in self._opens.items():
            threading.Thread(target=self._pump, args=(name, opened), daemon=True).start()
        try:
            with interrupts(lambda: self._inbox.put(Happened("", "interrupted"))):
                while open_ones:
                    try:
                        happened = self._inbox.get(timeout=None if first in open_ones else patience_at_end)
                    except Empty:
                        return
                    if happened.kind == "ended":
                        open_ones.discard(happened.stream)
                        if happened.value is not None:
                            raise happened.value
                    else:
                        yield happened
        finally:
            self._closing.set()

    def _pump(self, name: str, opened: Callable[[], Iterator[Any]]) -> None:
        from lightflow.core.errors import NoControlService

        heard = time.monotonic()
        while True:
            try:
                for message in opened():
                    heard = time.monotonic()
                    self._inbox.put(Happened(name, "message", message))
                self._inbox.put(Happened(name, "ended"))
            except NoControlService as error:
                if time.monotonic() - heard < PATIENCE and not self._closing.wait(_PAUSE):
                    self._inbox.put(Happened(name, "reopened"))
                    continue
                self._inbox.put(Happened(name, "ended", error))
            except Exception as error:  # told to the reader, who raises it
                self._inbox.put(Happened(name, "ended", error))
            return
