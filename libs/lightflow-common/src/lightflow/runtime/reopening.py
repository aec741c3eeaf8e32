"""A stream of the control service that goes on through an outage: opened again until the service is back."""

import time
from collections.abc import Callable, Iterator
from typing import Final, TypeVar

from lightflow.core.errors import NoControlService, ServiceUnavailable

Message = TypeVar("Message")

OUTAGE: Final = (NoControlService, ServiceUnavailable)
"""What says that the system cannot be reached now: no service answers, or one that cannot reach its servers."""

PATIENCE: Final = 30.0
"""Seconds without an answer after which the error counts."""

_PAUSE = 0.2
_CONNECTED = 10.0  # longer than a service takes to find that it cannot reach MongoDB


def reopened(
    opened: Callable[[], Iterator[Message]],
    *,
    pause: Callable[[float], object] = time.sleep,
    patience: float = PATIENCE,
) -> Iterator[Message | None]:
    """The messages of the stream; None wherever it was cut and starts again from its beginning.

    Raises the error after `patience` seconds of an OUTAGE; `pause` waits between attempts, and by being true ends it.
    """
    lost: float | None = None
    while True:
        began = time.monotonic()
        try:
            for message in opened():
                yield message
                lost = None
            return
        except OUTAGE:
            now = time.monotonic()
            # A stream that stayed open was connected, whether it had something to say or not.
            if lost is None or now - began > _CONNECTED:
                lost = now
            if now - lost > patience:
                raise
        if pause(_PAUSE):
            return
        yield None
