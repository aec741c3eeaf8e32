"""Events and workers as text."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from lightflow.cli.render.columns import columns, state
from lightflow.cli.render.times import local, seconds_of, span, time_of

if TYPE_CHECKING:
    from lightflow.control.v1 import control_pb2 as pb


def event_line(event: "pb.Event") -> str:
    """An event in one line, columns wide enough for most."""
    what = {"workflow": "run", "dag": "DAG run"}.get(event.type, event.type)
    name = f"{event.dag}/{event.name}" if event.type == "task" and event.dag else event.name
    taken = f"after {span(seconds_of(event))}" if event.HasField("duration") else ""
    attempt = f"attempt {event.attempt}" if event.attempt > 1 else ""
    facts = [fact for fact in (attempt, taken, f"on {event.worker}" if event.worker else "") if fact]
    head = f"{local(time_of(event, 'time'))}  {event.run_id}  {what:<8}{name}"
    return f"{head}  {state(event.state or event.event)}  {', '.join(facts)}".rstrip()


def workers_table(workers: Sequence["pb.Worker"], now: datetime) -> str:
    """A line for each worker."""
    if not workers:
        return "No living workers."
    rows = [
        (
            worker.service,
            worker.name,
            worker.host,
            str(worker.pid),
            ",".join(worker.queues),
            f"{worker.running}/{worker.slots}" if worker.slots else "",
            span((now - started).total_seconds()) if (started := time_of(worker, "started_at")) else "",
            "draining" if worker.draining else "",
        )
        for worker in workers
    ]
    return columns(("SERVICE", "NAME", "HOST", "PID", "QUEUES", "RUNNING", "UP FOR", ""), rows)
