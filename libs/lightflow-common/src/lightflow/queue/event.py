"""What happens to jobs, as `lightflow.workflows.events` gives it."""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from lightflow.core.errors import JobEventTypeUnsupported
from lightflow.queue.const import JobEventName

__all__ = ["JobAbortedEvent", "JobEvent", "JobStartedEvent", "JobStoppedEvent", "JobSucceededEvent"]


@dataclass(frozen=True, slots=True)
class JobEvent:
    """Something that happened to a job."""

    uuid: str
    """unique, the same whoever asks"""
    type: str
    """a `JobType`"""
    event: str
    """a `JobEventName`"""
    queue: str
    """the queue that it came by"""
    hostname: str
    """the worker on which it happened"""
    pid: int
    """the process on that worker, 0 where that is gone"""
    name: str
    """of the workflow, the DAG run (with its `:n`) or the task"""
    workflow_id: str
    """the id of the run"""
    event_time: datetime
    """in UTC and without a zone"""
    duration: float | None
    """seconds since the start, None for a start"""

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
