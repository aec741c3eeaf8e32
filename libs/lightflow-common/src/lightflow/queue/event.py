"""What happens to jobs, as the Python API shows it."""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from lightflow.core.errors import JobEventTypeUnsupported
from lightflow.queue.const import JobEventName


@dataclass(frozen=True, slots=True)
class JobEvent:
    """Something that happened to a job; `event` is a JobEventName, `type` a JobType.

    `event_time` is in UTC, `duration` in seconds and None for a start. `hostname` is the worker that it happened on.
    """

    uuid: str
    type: str
    event: str
    queue: str
    hostname: str
    pid: int
    name: str
    workflow_id: str
    event_time: datetime
    duration: float | None

    def to_dict(self) -> dict[str, Any]:
        """The event as a dict."""
        return asdict(self)


class JobStartedEvent(JobEvent):
    """A job has started."""

    __slots__ = ()


class JobSucceededEvent(JobEvent):
    """A job has succeeded."""

    __slots__ = ()


class JobStoppedEvent(JobEvent):
    """A job was stopped."""

    __slots__ = ()


class JobAbortedEvent(JobEvent):
    """A job was aborted, or has failed."""

    __slots__ = ()


_CLASSES: dict[str, type[JobEvent]] = {
    JobEventName.Started: JobStartedEvent,
    JobEventName.Succeeded: JobSucceededEvent,
    JobEventName.Stopped: JobStoppedEvent,
    JobEventName.Aborted: JobAbortedEvent,
}


def job_event(event: str, **fields: Any) -> JobEvent:
    """The object for an event of that JobEventName; raises JobEventTypeUnsupported."""
    if event not in _CLASSES:
        raise JobEventTypeUnsupported(f"There is no job event {event!r}; upgrade this side to the system's release")
    return _CLASSES[event](event=event, **fields)
