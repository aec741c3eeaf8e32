"""Documents as messages of the contract: pure, and silent about what a document does not say."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from google.protobuf.struct_pb2 import Struct
from google.protobuf.timestamp_pb2 import Timestamp

from lightflow.control.v1 import control_pb2 as pb
from lightflow.core.graph import DagSpec, OptionSpec, WorkflowSpec
from lightflow.runtime.logs import LogChunk
from lightflow.runtime.rpc.requests import duration, timestamp

Document = Mapping[str, Any]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def run(document: Document, dags: Iterable[pb.DagRun] = (), waits_for: str = "") -> pb.Run:
    """A run; in lists without DAG runs."""
    return pb.Run(
        run_id=document["_id"],
        workflow=document["workflow"],
        version=document["version"],
        state=document["state"],
        arguments=_struct(document.get("arguments") or {}),
        error=_error(document.get("error")),
        dags=dags,
        queue=document.get("queue", ""),
        keep_data=document.get("keep_data", False),
        reason=document.get("reason") or "",
        created_at=timestamp(document.get("created_at")),
        waits_for=waits_for,
        **_times(document),
    )


def dag_run(document: Document, tasks: Iterable[pb.Task] = (), waits_for: str = "") -> pb.DagRun:
    """A DAG run with its tasks."""
    return pb.DagRun(
        name=document["name"],
        state=document["state"],
        tasks=tasks,
        started_at=timestamp(document.get("started_at")),
        finished_at=timestamp(document.get("finished_at")),
        queue=document.get("queue", ""),
        waits_for=waits_for,
    )


def task(document: Document, waits_for: str = "") -> pb.Task:
    """A task, from its fields in `tasks.FIELDS`; with its attempts where they were asked for."""
    where = {"task": document["task"], "dag": document["dag"]}
    return pb.Task(
        id=document["_id"],
        name=document["task"],
        dag=document["dag"],
        state=document["state"],
        attempts=document.get("count", 0),
        worker=document.get("worker") or "",
        queue=document.get("queue", ""),
        error=_error(document.get("error"), where),
        history=[attempt(number, each, where) for number, each in enumerate(document.get("attempts") or (), 1)],
        waits_for=waits_for,
        **_times(document),
    )


def attempt(number: int, document: Document, where: Mapping[str, str]) -> pb.Attempt:
    """One attempt of the task that `where` names."""
    return pb.Attempt(
        number=number,
        worker=document.get("worker") or "",
        outcome=document.get("outcome") or "",
        error=_error(document.get("error"), where),
        started_at=timestamp(document.get("started_at")),
        finished_at=timestamp(document.get("finished_at")),
    )


def workflow(document: Document, deployed: bool, spec: WorkflowSpec | None = None) -> pb.Workflow:
    """A version; with its graph where the spec is given."""
    options = (OptionSpec.from_json(option) for option in document.get("parameters") or ())
    return pb.Workflow(
        name=document["name"],
        docstring=document.get("docstring") or "",
        version=document["_id"],
        deployed=deployed,
        parameters=[_option(option) for option in options],
        dags=[_graph(dag) for dag in spec.dags] if spec else (),
        created_at=timestamp(document.get("created_at")),
        python=document.get("python") or "",
    )


def unloaded(found: Document) -> pb.Workflow:
    """A workflow file that was looked at without executing it."""
    return pb.Workflow(name=found["name"], docstring=found.get("docstring") or "", error=found.get("error") or "")


def worker(document: Document) -> pb.Worker:
    """A process of a service."""
    return pb.Worker(
        id=document["_id"],
        service=document["service"],
        name=document.get("name", ""),
        host=document.get("host", ""),
        pid=document.get("pid", 0),
        queues=document.get("queues") or (),
        slots=document.get("slots", 0),
        running=document.get("running", 0),
        process_pids=document.get("process_pids") or (),
        started_at=timestamp(document.get("started_at")),
        draining=document.get("draining", False) or document.get("stop", False),
        python=document.get("python", ""),
        broker=document.get("broker", ""),
    )


def log(chunk: LogChunk) -> pb.StreamLogsResponse:
    """A piece of what an attempt wrote."""
    return pb.StreamLogsResponse(
        task=chunk.task, dag=chunk.dag, attempt=chunk.attempt, time=timestamp(chunk.at), text=chunk.text
    )


def seconds_between(start: datetime | None, end: datetime | None) -> float | None:
    """The time that something took; None until it is over, or where it never began."""
    return None if start is None or end is None else max((end - start).total_seconds(), 0.0)


def moment(stamp: Timestamp) -> datetime:
    """A time of the contract as the driver takes it."""
    return stamp.ToDatetime(tzinfo=UTC)


def millis(time: datetime) -> int:
    """A time as whole milliseconds, exact to and from what MongoDB keeps."""
    return round((time - _EPOCH) / timedelta(milliseconds=1))


def from_millis(number: int) -> datetime:
    """The time that `millis` told."""
    return _EPOCH + timedelta(milliseconds=number)


def _times(document: Document) -> dict[str, Any]:
    start, end = document.get("started_at"), document.get("finished_at")
    return {
        "started_at": timestamp(start),
        "finished_at": timestamp(end),
        "duration": duration(seconds_between(start, end)),
    }


def _error(error: Document | None, where: Mapping[str, str] | None = None) -> pb.Error | None:
    if not error:
        return None
    fields = {**(where or {}), **error}
    return pb.Error(**{name: fields.get(name) or "" for name in ("type", "message", "traceback", "task", "dag")})


def _struct(values: Mapping[str, Any]) -> Struct:
    struct = Struct()
    struct.update(dict(values))
    return struct


def _option(option: OptionSpec) -> pb.Option:
    return pb.Option(
        name=option.name,
        type=option.type,
        required=option.required,
        default_text=option.default_text,
        help=option.help,
    )


def _graph(dag: DagSpec) -> pb.Graph:
    names = [each.name for each in dag.tasks]
    edges = [
        pb.GraphEdge(parent=names[parent], child=names[child], alias=alias or "") for parent, child, alias in dag.edges
    ]
    tasks = [pb.GraphTask(name=each.name, type=each.type, queue=each.queue) for each in dag.tasks]
    return pb.Graph(name=dag.name, autostart=dag.autostart, queue=dag.queue, tasks=tasks, edges=edges)
