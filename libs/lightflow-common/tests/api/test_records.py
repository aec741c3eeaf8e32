from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lightflow.control.v1 import control_pb2 as pb
from lightflow.core.errors import JobEventTypeUnsupported, NoControlService
from lightflow.queue.event import JobAbortedEvent, JobStartedEvent
from lightflow.queue.models import BrokerStats
from lightflow.runtime import records
from lightflow.runtime.rpc.requests import timestamp
from lightflow.runtime.told import OVERLAP, Told, told

NOW = datetime(2030, 1, 1, tzinfo=UTC)
WITHOUT_ZONE = NOW.replace(tzinfo=None)
FIELDS = (
    "name id type workflow_id queue start_time arguments acknowledged func_name hostname worker_name worker_pid "
    "routing_key"
)
RUN = "65f1a0c3d2e4b5a697887766"


def process(id_: str, service: str, name: str = "worker@host", **fields: Any) -> pb.Worker:
    queue = {"scheduler": "workflow", "dag-runner": "dag"}.get(service, "task")
    return pb.Worker(
        id=id_, service=service, name=name, broker="redis://:***@host:1/2", **{"queues": [queue], **fields}
    )


WHOLE = [
    process("s", "scheduler", pid=1),
    process("d", "dag-runner", pid=2),
    process("t", "task-worker", pid=3, slots=4, running=2, process_pids=[7, 8]),
]


def test_processes_of_one_name_are_one_worker() -> None:
    (worker,) = records.workers_of(WHOLE)
    assert worker.to_dict() == {
        "name": "worker@host",
        "broker": {"hostname": "host", "port": 1, "transport": "redis", "virtual_host": "2"},
        "pid": 3,
        "process_pids": [1, 2, 7, 8],
        "concurrency": 4,
        "job_count": 2,
        "queues": [{"name": name, "routing_key": name} for name in ("dag", "task", "workflow")],
    }
    assert set(worker.ids) == {"s", "d", "t"}


def test_two_processes_of_one_service_are_two_workers_whatever_they_are_called() -> None:
    first, second = records.workers_of([*WHOLE, process("u", "task-worker", pid=9)])
    assert set(first.ids) == {"d", "s", "t"}
    assert second.ids == ("u",)


def test_the_broker_of_a_unix_socket_is_named_by_its_path() -> None:
    broker = BrokerStats.from_url("redis+socket:///run/redis.sock?virtual_host=3")
    assert broker == BrokerStats("/run/redis.sock", None, "redis", "3")


def test_jobs_of_runs_and_dags_carry_the_worker_of_their_service() -> None:
    workers = records.Workers(WHOLE)
    run = pb.Run(run_id=RUN, workflow="simple", state="running", queue="workflow")
    run.arguments.update({"days": 3, "ratio": 0.5, "list": [1]})
    run.started_at.FromDatetime(NOW)
    job = records.job_of_run(run, workers)
    assert (job.id, job.type, job.name, job.workflow_id, job.start_time) == (
        RUN,
        "workflow",
        "simple",
        RUN,
        WITHOUT_ZONE,
    )
    assert (job.worker_name, job.worker_pid, job.acknowledged) == ("worker@host", 1, True)
    assert job.arguments == {"days": 3, "ratio": 0.5, "list": [1]}
    assert isinstance(job.arguments["days"], int)
    dag = records.job_of_dag(RUN, pb.DagRun(name="main:1", state="running", queue="dag"), workers)
    assert (dag.id, dag.workflow_id, dag.worker_pid) == (f"{RUN}:main:1", RUN, 2)


def test_a_job_of_a_task_has_a_worker_while_it_runs() -> None:
    task = pb.Task(id=f"{RUN}:main:1/0", name="first", state="running", queue="task", worker="worker@host")
    job = records.job_of_task(task, records.Workers(WHOLE))
    assert (job.workflow_id, job.worker_pid, job.routing_key, job.func_name) == (RUN, 3, "task", "execute_task")
    task.state, task.worker = "waiting", ""
    job = records.job_of_task(task, records.Workers(WHOLE))
    assert (job.worker_name, job.worker_pid, job.start_time, job.acknowledged) == ("", None, None, False)
    assert " ".join(job.to_dict()) == FIELDS


def event(id_: str, name: str = "task-lightflow-started", seconds: int = 0) -> pb.Event:
    made = pb.Event(id=id_, type="task", event=name, name="first", run_id=RUN, queue="task", worker="w@host", pid=7)
    made.time.FromDatetime(NOW)
    made.time.seconds += seconds
    return made


def test_events_are_objects_of_a_class_for_each_kind() -> None:
    started = records.event_of(event("a"))
    aborted = records.event_of(event("b", "task-lightflow-aborted"))
    assert (type(started), type(aborted)) == (JobStartedEvent, JobAbortedEvent)
    assert started.to_dict() == {
        "uuid": "a", "type": "task", "event": "task-lightflow-started", "queue": "task", "hostname": "w@host",
        "pid": 7, "name": "first", "workflow_id": RUN, "event_time": WITHOUT_ZONE, "duration": None,
    }  # fmt: skip
    with pytest.raises(JobEventTypeUnsupported, match="task-lightflow-odd"):
        records.event_of(event("c", "task-lightflow-odd"))


def test_a_stream_of_events_that_is_cut_goes_on_where_it_was_and_tells_each_once() -> None:
    asked: list[datetime | None] = []
    ids = iter([["a"], ["b", "a"]])

    def opened(since: datetime | None) -> Iterator[pb.WatchEventsResponse]:
        asked.append(since)
        yield pb.WatchEventsResponse(since=timestamp(since or NOW))
        yield from (pb.WatchEventsResponse(event=event(id_)) for id_ in next(ids))
        if len(asked) == 1:
            raise NoControlService

    happens = told(opened)
    assert asked == [None]
    assert [each.id for each in happens] == ["a", "b"]
    assert asked == [None, NOW]


def test_a_stream_that_goes_on_begins_a_little_before_the_last_event_and_never_before_its_beginning() -> None:
    known = Told(NOW - timedelta(seconds=60))
    known.new(pb.WatchEventsResponse(event=event("a")))
    assert known.since == NOW - OVERLAP
