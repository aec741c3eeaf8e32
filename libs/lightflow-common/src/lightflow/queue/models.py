"""Jobs and workers as the Python API shows them; also the events, which have a module of their own."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, Self
from urllib.parse import urlsplit

from lightflow.queue.event import JobAbortedEvent, JobEvent, JobStartedEvent, JobStoppedEvent, JobSucceededEvent

__all__ = [
    "BrokerStats",
    "JobAbortedEvent",
    "JobEvent",
    "JobStartedEvent",
    "JobStats",
    "JobStoppedEvent",
    "JobSucceededEvent",
    "QueueStats",
    "WorkerStats",
]


@dataclass(frozen=True, slots=True)
class BrokerStats:
    """Where a worker takes its messages from."""

    hostname: str
    """or the path of a unix socket"""
    port: int | None
    """None for a unix socket"""
    transport: str
    """`redis`, or another of kombu's"""
    virtual_host: str
    """the number of the redis database"""

    @classmethod
    def from_url(cls, url: str) -> Self:
        """The parts of a broker's URL; its password is left out."""
        parts = urlsplit(url)
        transport = parts.scheme.partition("+")[0]
        if not parts.hostname:
            return cls(parts.path, None, transport, parts.query.rpartition("virtual_host=")[2] or "0")
        return cls(parts.hostname, parts.port, transport, parts.path.strip("/"))

    def to_dict(self) -> dict[str, Any]:
        """The record as a dict."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class QueueStats:
    """A queue that a worker serves."""

    name: str
    """`workflow`, `dag`, `task` or a name of one's own"""
    routing_key: str
    """the same name"""

    def to_dict(self) -> dict[str, Any]:
        """The record as a dict."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class WorkerStats:
    """A living worker; what `lightflow worker start` starts is one, however many service processes it has."""

    name: str
    """`name@host`"""
    broker: BrokerStats
    """where it takes its messages from"""
    pid: int
    """its first process"""
    process_pids: Sequence[int]
    """its other processes"""
    concurrency: int
    """its task slots"""
    job_count: int
    """the tasks that it runs now"""
    queues: Sequence[QueueStats]
    """the queues that it serves"""
    ids: tuple[str, ...] = ()
    """of its service processes"""

    def to_dict(self) -> dict[str, Any]:
        """The record as a dict, without `ids`."""
        return {
            "name": self.name,
            "broker": self.broker.to_dict(),
            "pid": self.pid,
            "process_pids": list(self.process_pids),
            "concurrency": self.concurrency,
            "job_count": self.job_count,
            "queues": [queue.to_dict() for queue in self.queues],
        }


@dataclass(frozen=True, slots=True)
class JobStats:
    """A run, DAG run or task, as a job."""

    name: str
    """of the workflow, the DAG run (with its `:n`) or the task"""
    id: str
    """unique; of a run it is the run's id"""
    type: str
    """a `JobType`"""
    workflow_id: str
    """the id of the run"""
    queue: str
    """the queue that it comes by"""
    start_time: datetime | None
    """in UTC and without a zone, None before the start"""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    """the start arguments of a run, as far as they are texts; else empty"""
    acknowledged: bool = False
    """whether a worker has it"""
    func_name: str = ""
    """what Celery called it"""
    hostname: str = ""
    """the worker that has it, empty where none has"""
    worker_name: str = ""
    """the same"""
    worker_pid: int | None = None
    """the process that has it"""
    routing_key: str = ""
    """the name of the queue"""

    def to_dict(self) -> dict[str, Any]:
        """The record as a dict."""
        return asdict(self)
