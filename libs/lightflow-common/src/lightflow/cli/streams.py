"""Several streams of the control service read as one sequence, each by a thread of its own."""

import threading
from collections.abc import Callable, Iterator
from queue import Empty, SimpleQueue
from typing import Any, NamedTuple, Self

from lightflow.cli.interrupts import interrupts
from lightflow.runtime.reopening import PATIENCE, reopened

AHEAD = 200
"""Messages of each stream that may wait for the reader; more are left with the service until they are wanted."""


class Happened(NamedTuple):
    """One thing that happened; `stream` is "" for Ctrl-C and silence."""

    stream: str
    kind: str  # message, reopened, ended, interrupted or quiet
    value: Any = None


class Streams:
    """Reads streams in threads, through outages of the service. Within its block Ctrl-C is one of the things read."""

    def __init__(self, patience: float = PATIENCE, **opens: Callable[[], Iterator[Any]]) -> None:
        # A SimpleQueue, because its put may interrupt its own get: a signal handler puts here too.
        self._inbox: SimpleQueue[Happened] = SimpleQueue()
        self._patience = patience
        self._opens = opens
        self._room = {name: threading.Semaphore(AHEAD) for name in opens}
        self._pressed = 0
        self._closing = threading.Event()
        self._interrupts = interrupts(self._press)

    def __enter__(self) -> Self:
        self._interrupts.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._closing.set()
        for room in self._room.values():
            room.release()  # whoever waits for room sees that nobody will read
        self._interrupts.__exit__(*error)

    def read(self, patience_at_end: float = 10.0, quiet_after: float | None = None) -> Iterator[Happened]:
        """Everything that happens, until all streams have ended; raises what ended a stream early.

        When the first of the streams (in the order given) has ended, the others have `patience_at_end` seconds left.
        Silence of `quiet_after` seconds before that is told too. Ctrl-C comes before all that waits to be read.
        """
        first, open_ones, told = next(iter(self._opens)), set(self._opens), 0
        for name, opened in self._opens.items():
            threading.Thread(target=self._pump, args=(name, opened), daemon=True).start()
        while open_ones:
            try:
                happened = self._inbox.get(timeout=quiet_after if first in open_ones else patience_at_end)
            except Empty:
                if first not in open_ones:
                    return
                happened = Happened("", "quiet")
            if told < self._pressed:
                told += 1
                yield Happened("", "interrupted")
            if happened.stream:
                self._room[happened.stream].release()
            if happened.kind == "ended":
                open_ones.discard(happened.stream)
                if happened.value is not None:
                    raise happened.value
            elif happened.kind != "wake":
                yield happened

    def _press(self) -> None:
        self._pressed += 1
        self._inbox.put(Happened("", "wake"))  # counted above, and read before what is in the queue already

    def _pump(self, name: str, opened: Callable[[], Iterator[Any]]) -> None:
        try:
            for message in reopened(opened, pause=self._closing.wait, patience=self._patience):
                kind = "reopened" if message is None else "message"
                self._room[name].acquire()
                if self._closing.is_set():
                    return
                self._inbox.put(Happened(name, kind, message))
            self._inbox.put(Happened(name, "ended"))
        except Exception as error:  # told to the reader, who raises it
            self._inbox.put(Happened(name, "ended", error))
