"""The timeout of an attempt, raised in the main thread by an interval timer."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from lightflow.core.errors import LightflowException


class Alarm:
    """Raises an error after some seconds; not inside `shield()`, which it would leave half done, but at its end."""

    def __init__(self) -> None:
        self._error: LightflowException | None = None
        self._shields = 0
        self._due = False

    def arm(self, seconds: float | None, error: LightflowException) -> None:
        """Raise the error in so many seconds; None means never."""
        if seconds is None:
            return
        self._error, self._due = error, False
        signal.signal(signal.SIGALRM, self._ring)
        signal.setitimer(signal.ITIMER_REAL, max(seconds, 1e-6))

    def disarm(self) -> None:
        """From here on nothing is raised."""
        if self._error is not None:
            self._error = None
            signal.setitimer(signal.ITIMER_REAL, 0)

    @contextmanager
    def shield(self) -> Iterator[None]:
        """Hold the error back while in here. Signals only ever arrive in the main thread: others need no shield."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        self._shields += 1
        try:
            yield
        finally:
            self._shields -= 1
        if self._due and not self._shields:
            self._ring(signal.SIGALRM, None)

    def _ring(self, number: int, frame: FrameType | None) -> None:
        if self._shields:
            self._due = True
        elif self._error is not None:
            error, self._error, self._due = self._error, None, False
            raise error
