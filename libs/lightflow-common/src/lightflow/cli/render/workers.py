"""Workers as text, as people count them: what was started as one is one."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from lightflow.cli.render.columns import columns

if TYPE_CHECKING:
    from lightflow.queue.models import WorkerStats


def workers_overview(workers: Sequence["WorkerStats"], queues: Sequence[str] = ()) -> str:
    """A line for each worker, of those that serve one of the queues where some are named."""
    if not workers:
        what = f"No living worker serves {' or '.join(queues)}." if queues else "No living workers."
        option = f" -q {','.join(queues)}" if queues else ""
        return f"{what} `lightflow worker start{option}` starts one."
    rows = [(worker.name, str(worker.pid), _running(worker), _queues(worker)) for worker in workers]
    return columns(("WORKER", "PID", "RUNNING", "QUEUES"), rows)


def worker_details(worker: "WorkerStats") -> str:
    """All there is to tell about a worker."""
    broker = worker.broker
    address = f"{broker.hostname}:{broker.port}" if broker.port else broker.hostname
    facts = (
        ("queues", _queues(worker)),
        ("running", _running(worker)),
        ("pid", str(worker.pid)),
        ("processes", ", ".join(map(str, worker.process_pids))),
        ("broker", f"{broker.transport} at {address}, database {broker.virtual_host}"),
        ("ids", ", ".join(worker.ids)),
    )
    lines = [f"  {name:<10}{text}" for name, text in facts if text]
    return "\n".join([click.style(worker.name, bold=True), *lines])


def _running(worker: "WorkerStats") -> str:
    return f"{worker.job_count} of {worker.concurrency} task slots" if worker.concurrency else ""


def _queues(worker: "WorkerStats") -> str:
    return ", ".join(queue.name for queue in worker.queues)
