"""Times and durations of the messages: for documents as ISO 8601 and seconds, for people as they say them."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from google.protobuf.message import Message


def time_of(message: "Message", field: str) -> datetime | None:
    """A timestamp field, in UTC; None when it is unset."""
    if not message.HasField(field):
        return None
    value: datetime = getattr(message, field).ToDatetime(tzinfo=UTC)
    return value


def iso_of(message: "Message", field: str) -> str | None:
    """A timestamp field as ISO 8601 in UTC, with milliseconds."""
    time = time_of(message, field)
    return time.isoformat(timespec="milliseconds").replace("+00:00", "Z") if time else None


def seconds_of(message: "Message", field: str = "duration") -> float | None:
    """A duration field in seconds; None when it is unset."""
    if not message.HasField(field):
        return None
    seconds: float = getattr(message, field).ToTimedelta().total_seconds()
    return seconds


def local(time: datetime | None) -> str:
    """A time as a person reads it: to the second, on their clock."""
    return time.astimezone().strftime("%Y-%m-%d %H:%M:%S") if time else ""


def span(seconds: float | None) -> str:
    """A duration as a person says it: `0.25 s`, `12.3 s`, `3 min 12 s`, `5 h 2 min`, `3 d 4 h`."""
    if seconds is None:
        return ""
    if seconds < 10:
        return f"{max(seconds, 0.0):.2f} s"
    if seconds < 60:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    for size, unit, below, small in ((86400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if whole >= size:
            return f"{whole // size} {unit} {whole % size // below} {small}"
    return f"{whole} s"


def since(message: "Message", now: datetime) -> float | None:
    """How long a run or task takes: its duration, or what has passed since it started, in seconds."""
    if message.HasField("duration"):
        return seconds_of(message)
    started = time_of(message, "started_at")
    if started is None or message.HasField("finished_at"):
        return None
    return (now - started).total_seconds()
