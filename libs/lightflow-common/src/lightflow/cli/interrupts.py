"""Ctrl-C as a message: while a run is followed, a signal is put where everything else that happens is read."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def interrupts(tell: Callable[[], None]) -> Iterator[None]:
    """Call `tell`, which must be safe in a signal handler, for each Ctrl-C or SIGTERM instead of raising."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread gets signals, and may say what they do
        return

    def handle(*_: Any) -> None:
        tell()

    before = {number: signal.signal(number, handle) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
