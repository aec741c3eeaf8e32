"""Jobs and workers as the Python API shows them."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, Self
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class BrokerStats:
    """Where a worker takes its messages from; `hostname` is the path where that is a unix socket."""

    hostname: str
    port: int | None
    transport: str
    virtual_host: str

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
    routing_key: str

    def to_dict(self) -> dict[str, Any]:
        """The record as a dict."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class WorkerStats:
    """A living worker.

    `process_pids` are its other processes, `concurrency` its task slots, `job_count` the tasks that it runs now. What
    `lightflow worker start` starts is one worker, however many service processes it has; `ids` names them.
    """

    name: str
    broker: BrokerStats
    pid: int
    process_pids: Sequence[int]
    concurrency: int
    job_count: int
    queues: Sequence[QueueStats]
    ids: tuple[str, ...] = ()

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
    """A run, DAG run or task, as a job; `type` says which, `start_time` is in UTC and None before the start.

    `hostname` and `worker_name` name the worker that has it; they are empty, and `worker_pid` None, where none has.
    """

    name: str
    id: str
    type: str
    workflow_id: str
    queue: str
    start_time: datetime | None
    arguments: Mapping[str, Any] = field(default_factory=dict)
    acknowledged: bool = False
    func_name: str = ""
    hostname: str = ""
    worker_name: str = ""
    worker_pid: int | None = None
    routing_key: str = ""

    def to_dict(self) -> dict[str, Any]:
        """The record as a dict."""
        return asdict(self)
