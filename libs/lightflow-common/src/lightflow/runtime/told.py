"""Which events a stream has told, so that one that was cut and goes on tells all of them, and none twice."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from lightflow.runtime.reopening import reopened

if TYPE_CHECKING:
    from lightflow.control.v1 import control_pb2 as pb

REMEMBERED: Final = 50_000
OVERLAP: Final = timedelta(minutes=1)
"""How far back a stream begins again: an event may become visible long after one that carries a later time."""


class Told:
    """Remembers the newest events, and when the stream began and the last of them was."""

    def __init__(self, since: datetime | None = None) -> None:
        self._began = self._latest = since
        self._told: dict[str, None] = {}

    @property
    def since(self) -> datetime | None:
        """The time from which the stream is to be opened again; None before it was opened at all."""
        if self._began is None or self._latest is None:
            return None
        return max(self._began, self._latest - OVERLAP)

    def new(self, response: "pb.WatchEventsResponse") -> "pb.Event | None":
        """The event of the response if it was not told yet; it is now."""
        if response.HasField("since"):
            self._began = self._began or response.since.ToDatetime(tzinfo=UTC)
            self._latest = self._latest or self._began
            return None
        event = response.event
        if event.id in self._told:
            return None
        self._told[event.id] = None
        if len(self._told) > REMEMBERED:
            del self._told[next(iter(self._told))]
        time = event.time.ToDatetime(tzinfo=UTC)
        self._latest = max(self._latest or time, time)
        return event


def told(
    opened: "Callable[[datetime | None], Iterator[pb.WatchEventsResponse]]", since: datetime | None = None
) -> "Iterator[pb.Event]":
    """The events of a stream that is `opened` from some time on, each once, also through an outage of the service.

    Returns when the stream is open: what happens from then on is told.
    """
    known = Told(since)
    responses = reopened(lambda: opened(known.since))
    for response in responses:
        if response is not None:  # the first only says from when on
            known.new(response)
            break
    return (event for response in responses if response and (event := known.new(response)) is not None)
