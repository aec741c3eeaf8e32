"""Several streams of the control service read as one sequence, each by a thread of its own."""

import threading
from collections.abc import Callable, Iterator
from queue import Empty, SimpleQueue
from typing import Any, NamedTuple, Self

from lightflow.cli.interrupts import interrupts
from lightflow.runtime.reopening import reopened


class Happened(NamedTuple):
    """One thing that happened; `stream` is "" for Ctrl-C."""

    stream: str
    kind: str  # message, reopened, ended or interrupted
    value: Any = None


class Streams:
    """Reads streams in threads, through outages of the service. Within its block Ctrl-C is one of the things read."""

    def __init__(self, **opens: Callable[[], Iterator[Any]]) -> None:
        # A SimpleQueue, because its put may interrupt its own get: a signal handler puts here too.
        self._inbox: SimpleQueue[Happened] = SimpleQueue()
        self._opens = opens
        self._closing = threading.Event()
        self._interrupts = interrupts(lambda: self._inbox.put(Happened("", "interrupted")))

    def __enter__(self) -> Self:
        self._interrupts.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._closing.set()
        self._interrupts.__exit__(*error)

    def read(self, patience_at_end: float = 10.0) -> Iterator[Happened]:
        """Everything that happens, until all streams have ended; raises what ended a stream early.

        When the first of the streams (in the order given) has ended, the others have `patience_at_end` seconds left.
        """
        first, open_ones = next(iter(self._opens)), set(self._opens)
        for name, opened in self._opens.items():
            threading.Thread(target=self._pump, args=(name, opened), daemon=True).start()
        while open_ones:
            try:
                happened = self._inbox.get(timeout=None if first in open_ones else patience_at_end)
            except Empty:
                return
            if happened.kind != "ended":
                yield happened
                continue
            open_ones.discard(happened.stream)
            if happened.value is not None:
                raise happened.value

    def _pump(self, name: str, opened: Callable[[], Iterator[Any]]) -> None:
        try:
            for message in reopened(opened, pause=self._closing.wait):
                kind = "reopened" if message is None else "message"
                self._inbox.put(Happened(name, kind, message))
            self._inbox.put(Happened(name, "ended"))
        except Exception as error:  # told to the reader, who raises it
            self._inbox.put(Happened(name, "ended", error))
