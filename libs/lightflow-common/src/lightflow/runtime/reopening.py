"""A stream of the control service that goes on through an outage: opened again until the service is back."""

import time
from collections.abc import Callable, Iterator
from typing import Final, TypeVar

from lightflow.core.errors import NoControlService

Message = TypeVar("Message")

PATIENCE: Final = 30.0
"""Seconds without an answer after which the error counts."""

_PAUSE = 0.2
_CONNECTED = 5.0


def reopened(
    opened: Callable[[], Iterator[Message]],
    *,
    pause: Callable[[float], object] = time.sleep,
    patience: float = PATIENCE,
) -> Iterator[Message | None]:
    """The messages of the stream; None wherever it was cut and starts again from its beginning.

    Raises NoControlService after `patience` seconds; `pause` waits between attempts, and ends the stream by being true.
    """
    lost: float | None = None
    while True:
        began = time.monotonic()
        try:
            for message in opened():
                yield message
                lost = None
            return
        except NoControlService:
            now = time.monotonic()
            # A stream that stayed open was connected, whether it had something to say or not.
            if lost is None or now - began > _CONNECTED:
                lost = now
            if now - lost > patience:
                raise
        if pause(_PAUSE):
            return
        yield None
