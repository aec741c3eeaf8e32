"""Which events a stream has told, so that one that was cut and goes on tells none twice."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from lightflow.control.v1 import control_pb2 as pb

REMEMBERED: Final = 10_000


class Told:
    """Remembers the newest events; `latest` is the time of the last, from which a stream begins again."""

    def __init__(self, since: datetime | None = None) -> None:
        self.latest = since
        self._told: dict[str, None] = {}

    def is_new(self, event: "pb.Event") -> bool:
        """Whether the event was not told yet; it is now."""
        if event.id in self._told:
            return False
        self._told[event.id] = None
        if len(self._told) > REMEMBERED:
            del self._told[next(iter(self._told))]
        self.latest = event.time.ToDatetime(tzinfo=UTC)
        return True
