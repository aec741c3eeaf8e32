"""The contract's messages as the records of the Python API: jobs, workers and events. Pure."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from lightflow.queue.const import JobType
from lightflow.queue.event import JobEvent, job_event
from lightflow.queue.models import BrokerStats, JobStats, QueueStats, WorkerStats

if TYPE_CHECKING:
    from lightflow.control.v1 import control_pb2 as pb

_MAIN_SERVICE = ("task-worker", "dag-runner", "scheduler")
"""The process that a worker is known by is that of the first of these which it has."""

_SERVICE_OF = {JobType.Workflow: "scheduler", JobType.Dag: "dag-runner"}


def event_of(event: "pb.Event") -> JobEvent:
    """An event of the contract."""
    return job_event(
        event.event,
        uuid=event.id,
        type=event.type,
        queue=event.queue,
        hostname=event.worker,
        pid=event.pid,
        name=event.name,
        workflow_id=event.run_id,
        event_time=event.time.ToDatetime(),
        duration=event.duration.ToTimedelta().total_seconds() if event.HasField("duration") else None,
    )


def workers_of(processes: "Iterable[pb.Worker]") -> list[WorkerStats]:
    """The workers by name: processes of different services that share a name are one worker."""
    groups: dict[tuple[str, int], list[pb.Worker]] = {}
    for process in sorted(processes, key=lambda each: (each.name, each.started_at.ToNanoseconds())):
        number = 0
        while any(other.service == process.service for other in groups.get((process.name, number), ())):
            number += 1
        groups.setdefault((process.name, number), []).append(process)
    return [_worker(groups[key]) for key in sorted(groups, key=lambda key: (key[0].split("@"), key[1]))]


class Workers:
    """Which worker has a job."""

    def __init__(self, processes: "Iterable[pb.Worker]") -> None:
        self._processes = list(processes)

    def serving(self, kind: str, queue: str) -> "pb.Worker | None":
        """The service process that looks after runs or DAG runs of a queue; the first of equal ones."""
        service = _SERVICE_OF[kind]
        return next((each for each in self._processes if each.service == service and queue in each.queues), None)

    def named(self, name: str) -> "pb.Worker | None":
        """The task worker of that name."""
        return next((each for each in self._processes if each.service == "task-worker" and each.name == name), None)


def job_of_run(run: "pb.Run", workers: Workers) -> JobStats:
    """A run as a job."""
    queue = run.queue or JobType.Workflow
    has = workers.serving(JobType.Workflow, queue) if run.state != "pending" else None
    return _job(JobType.Workflow, run.workflow, run.run_id, run, queue, has, arguments=_plain(run.arguments))


def job_of_dag(run_id: str, dag: "pb.DagRun", workers: Workers) -> JobStats:
    """A DAG run as a job."""
    queue = dag.queue or JobType.Dag
    has = workers.serving(JobType.Dag, queue) if dag.state != "pending" else None
    return _job(JobType.Dag, dag.name, f"{run_id}:{dag.name}", dag, queue, has)


def job_of_task(task: "pb.Task", workers: Workers) -> JobStats:
    """A task as a job; only one that runs has a worker."""
    has = workers.named(task.worker) if task.state == "running" else None
    return _job(JobType.Task, task.name, task.id, task, task.queue, has, known=task.worker)


def run_of(job_id: str) -> str:
    """The id of the run that a job belongs to."""
    return job_id.partition(":")[0]


def _worker(processes: "list[pb.Worker]") -> WorkerStats:
    main = min(processes, key=lambda each: _MAIN_SERVICE.index(each.service) if each.service in _MAIN_SERVICE else 9)
    pids = [each.pid for each in processes] + [pid for each in processes for pid in each.process_pids]
    queues = dict.fromkeys(queue for each in reversed(processes) for queue in each.queues)
    return WorkerStats(
        name=main.name,
        broker=BrokerStats.from_url(main.broker),
        pid=main.pid,
        process_pids=[pid for pid in pids if pid != main.pid],
        concurrency=sum(each.slots for each in processes),
        job_count=sum(each.running for each in processes),
        queues=[QueueStats(queue, queue) for queue in sorted(queues)],
        ids=tuple(each.id for each in processes),
    )


def _job(
    kind: str,
    name: str,
    id_: str,
    record: "pb.Run | pb.DagRun | pb.Task",
    queue: str,
    has: "pb.Worker | None",
    *,
    known: str = "",
    arguments: Mapping[str, Any] | None = None,
) -> JobStats:
    worker = has.name if has is not None else known
    return JobStats(
        name=name,
        id=id_,
        type=kind,
        workflow_id=run_of(id_),
        queue=queue,
        start_time=_started(record),
        arguments=arguments or {},
        acknowledged=_started(record) is not None,
        func_name=f"execute_{kind}",
        hostname=worker,
        worker_name=worker,
        worker_pid=has.pid if has is not None else None,
        routing_key=queue,
    )


def _started(record: "pb.Run | pb.DagRun | pb.Task") -> datetime | None:
    return record.started_at.ToDatetime() if record.HasField("started_at") else None


def _plain(struct: Any) -> dict[str, Any]:
    from google.protobuf.json_format import MessageToDict

    plain: dict[str, Any] = _whole(MessageToDict(struct))
    return plain


def _whole(value: Any) -> Any:
    """The value with whole numbers as such: the contract's structs know only floats."""
    if isinstance(value, dict):
        return {name: _whole(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_whole(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
