"""A stack as a table and as a JSON document."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lightflow.cli.render.columns import columns, state

if TYPE_CHECKING:
    from lightflow.local.stack import StackInfo
    from lightflow.runtime.supervision.living import ProcessInfo


def process_document(process: "ProcessInfo") -> dict[str, Any]:
    """A process; `name` tells the replicas of a service apart, `pid` is null while there is none."""
    return {
        "service": process.service,
        "name": process.name,
        "pid": process.pid,
        "state": process.state,
        "restarts": process.restarts,
    }


def stack_document(info: "StackInfo") -> dict[str, Any]:
    """A stack with its processes."""
    return {
        "data_dir": info.data_dir,
        "target": info.target,
        "targets": list(info.targets),
        "config": info.config,
        "pid": info.pid,
        "state": info.state,
        "started_at": info.started_at,
        "processes": [process_document(process) for process in info.processes],
    }


def typed(info: "StackInfo") -> str:
    """How a person begins a command that speaks to this stack, from the folder where they are."""
    here = Path(".lightflow").resolve() == Path(info.data_dir)
    return "lightflowctl" if here else f"lightflowctl --data-dir {info.data_dir}"


def processes_table(processes: "Iterable[ProcessInfo]") -> str:
    """A line per process; replicas are told apart by their names."""
    rows = [
        (process.name, str(process.pid or "-"), state(process.state), str(process.restarts)) for process in processes
    ]
    return columns(("SERVICE", "PID", "STATE", "RESTARTS"), rows)
