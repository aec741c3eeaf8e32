"""The timeout of an attempt that runs in a thread.

The main thread is interrupted by a signal, whatever it waits in. Any other cannot be interrupted in the midst of a call
into C, such as a sleep: the error is raised when it is back in Python. An attempt that does not come back within
the grace is given up, as the real system would kill its process.
"""

import ctypes
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from lightflow.core.errors import TaskTimeout

GRACE = 5.0
"""Seconds between the error and giving up."""

_SIGNAL = signal.SIGURG
"""Nobody uses it, and where no handler is installed it does nothing."""

_raise_in = ctypes.pythonapi.PyThreadState_SetAsyncExc
_raise_in.argtypes = [ctypes.c_ulong, ctypes.py_object]


class Alarm:
    """Raises TaskTimeout in the thread that armed it; not within `shield()`, but at its end."""

    def __init__(self, task: str, seconds: float | None, wake: Callable[[], None], give_up: Callable[[], None]) -> None:
        self._seconds = seconds
        self._error = _error_type(task, seconds or 0.0)
        self._wake = wake
        self._give_up = give_up
        self._lock = threading.Lock()
        self._shields = 0
        self._armed = False
        self._previous: Any = None
        self._timers: list[threading.Timer] = []
        self._thread = 0
        self.is_due = False

    def error(self) -> TaskTimeout:
        """The error that is raised."""
        return self._error()

    def arm(self) -> None:
        """From now on the time counts."""
        self._thread = threading.get_ident()
        if self._seconds is None:
            return
        if self._is_in_main:
            self._previous = signal.signal(_SIGNAL, self._on_signal)
        self._armed = True
        for seconds, action in ((self._seconds, self._strike), (self._seconds + GRACE, self._end)):
            timer = threading.Timer(seconds, action)
            timer.daemon = True
            timer.start()
            self._timers.append(timer)

    def disarm(self) -> None:
        """From here on nothing is raised; what was about to be is not."""
        while self._seconds is not None:
            try:
                with self._lock:
                    self._armed = False
                self._take_back()
                break
            except TaskTimeout:  # it struck in here
                continue
        for timer in self._timers:
            timer.cancel()

    @contextmanager
    def shield(self) -> Iterator[None]:
        """Hold the error back while in here; other threads of the task need no shield."""
        if threading.get_ident() != self._thread:
            yield
            return
        with self._lock:
            self._shields += 1
        try:
            yield
        finally:
            with self._lock:
                self._shields -= 1
                due = self.is_due and self._armed
        if due:
            self.is_due = False
            raise self._error

    @property
    def _is_in_main(self) -> bool:
        return self._thread == threading.main_thread().ident

    def _strike(self) -> None:
        with self._lock:
            if not self._armed:
                return
            self.is_due = self._shields > 0
            if not self.is_due:
                self._send()
        self._wake()

    def _end(self) -> None:
        self._give_up()
        self._strike()  # in what catches its timeout and goes on

    def _send(self) -> None:
        if self._is_in_main:
            signal.pthread_kill(self._thread, _SIGNAL)
        else:
            _raise_in(self._thread, self._error)

    def _take_back(self) -> None:
        if self._is_in_main:
            signal.signal(_SIGNAL, self._previous)
        else:
            _raise_in(self._thread, ctypes.py_object())

    def _on_signal(self, number: int, frame: object) -> None:
        if self._armed and self._shields:
            self.is_due = True
        elif self._armed:
            raise self._error


def _error_type(name: str, limit: float) -> type[TaskTimeout]:
    """TaskTimeout without arguments: a thread can only be given a class."""

    class Timeout(TaskTimeout):
        def __init__(self) -> None:
            super().__init__(task=name, seconds=limit)

        def __reduce__(self) -> tuple[Any, ...]:
            return TaskTimeout(self.task, self.seconds).__reduce__()

    Timeout.__name__ = Timeout.__qualname__ = TaskTimeout.__name__
    return Timeout
