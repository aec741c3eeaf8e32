"""Events, derived from the record: pure. The same fact gives the same event, whoever asks and however often."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from lightflow.control.v1 import control_pb2 as pb
from lightflow.core.states import State
from lightflow.queue.const import JobEventName, JobType
from lightflow.runtime.rpc.requests import duration, timestamp
from lightflow_scheduler.messages import seconds_between

Document = Mapping[str, Any]

_ENDS: Final = {
    State.SUCCEEDED: JobEventName.Succeeded,
    State.STOPPED: JobEventName.Stopped,
    State.ABORTED: JobEventName.Aborted,
    State.FAILED: JobEventName.Aborted,
}

_DEPTH: Final = {JobType.Workflow: -2, JobType.Dag: -1, JobType.Task: 0}


def of_run(run: Document) -> Iterator[pb.Event]:
    """The start and the end of a run."""
    about = {"type": JobType.Workflow, "name": run["workflow"], "run_id": run["_id"], "workflow": run["workflow"]}
    yield from _of_span(run, {**about, "queue": run.get("queue") or ""}, run["_id"])


def of_dag_run(dag_run: Document, run: Document) -> Iterator[pb.Event]:
    """The start and the end of a DAG run."""
    about = {
        "type": JobType.Dag,
        "name": dag_run["name"],
        "dag": dag_run["name"],
        "run_id": dag_run["run"],
        "queue": dag_run.get("queue") or "",
        "workflow": run["workflow"],
    }
    yield from _of_span(dag_run, about, dag_run["_id"], run)


def of_task(task: Document, dag_run: Document, run: Document) -> Iterator[pb.Event]:
    """The start of each attempt of a task, and the end of the task; one that never started tells nothing."""
    attempts = task.get("attempts") or ()
    about = {
        "type": JobType.Task,
        "name": task["task"],
        "dag": task["dag"],
        "run_id": task["run"],
        "queue": task.get("queue") or "",
        "workflow": run["workflow"],
    }
    for number, attempt in enumerate(attempts, 1):
        span = {**attempt, "state": State.RUNNING}
        if number == len(attempts):
            span |= {"state": task["state"], "finished_at": task.get("finished_at")}
        yield from _of_span(span, {**about, "attempt": number}, f"{task['_id']}#{number}", run, dag_run)


def of_reading(
    runs: Mapping[str, Document],
    dag_runs: Mapping[str, Document],
    late: Mapping[str, Document],
    tasks: Iterable[Document],
) -> tuple[list[pb.Event], datetime | None]:
    """What documents tell that were read in this order, but that DAG runs that came `late` were read after tasks.

    And from when on to read again, because what was read has begun before it is on record that its whole has.
    """
    found = [event for run in runs.values() for event in of_run(run)]
    held: list[datetime] = []
    for dag_run in dag_runs.values():
        found += of_dag_run(dag_run, run := runs[dag_run["run"]])
        held += [dag_run["changed_at"]] if dag_run.get("started_at") and _are_early(run) else []
    for dag_run in late.values():
        # It may have ended since the tasks were read, whose ends come first.
        found += of_dag_run({**dag_run, "state": State.RUNNING, "finished_at": None}, runs[dag_run["run"]])
    for task in tasks:
        whole = dag_runs.get(task["dag_run"]) or late.get(task["dag_run"])
        whole = whole or {"state": State.PENDING}  # it is about to be created, or was removed together with its tasks
        found += of_task(task, whole, run := runs[task["run"]])
        held += [task["changed_at"]] if task.get("attempts") and _are_early(run, whole) else []
    return found, min(held, default=None)


def _are_early(*wholes: Document) -> bool:
    """Whether it is not on record yet that what these parts belong to has begun: a part may be there before that."""
    return any(whole.get("started_at") is None and whole["state"] == State.PENDING for whole in wholes)


def order(event: pb.Event) -> tuple[int, int, int]:
    """By time, a thousandth of a second; within that what is whole encloses its parts."""
    depth = _DEPTH[event.type]
    return event.time.seconds, event.time.nanos, depth if event.state == State.RUNNING else -depth


def newest(times: Iterable[datetime | None], otherwise: datetime) -> datetime:
    """The latest of the times that there are."""
    return max((time for time in times if time is not None), default=otherwise)


def _of_span(span: Document, about: Mapping[str, Any], id_: str, *wholes: Document) -> Iterator[pb.Event]:
    """Nothing of a part is told, and no time of it is earlier, than the starts of what it belongs to."""
    start, end = span.get("started_at"), span.get("finished_at")
    if start is None or _are_early(*wholes):
        return
    about = {**about, "worker": span.get("worker") or "", "pid": span.get("pid") or 0}
    told, begun = JobEventName.Started, max([start, *filter(None, (whole.get("started_at") for whole in wholes))])
    yield pb.Event(id=f"{id_}:started", event=told, state=State.RUNNING, time=timestamp(begun), **about)
    ending = _ENDS.get(span["state"])
    if end is not None and ending is not None:
        took = duration(seconds_between(start, end))
        id_, ended = f"{id_}:{span['state']}", max(begun, end)
        yield pb.Event(id=id_, event=ending, state=span["state"], time=timestamp(ended), duration=took, **about)
