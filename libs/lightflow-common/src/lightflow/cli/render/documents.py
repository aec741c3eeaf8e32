"""The JSON documents of `-o json`. Their keys are stable: scripts read them."""

from typing import TYPE_CHECKING, Any

from lightflow.cli.render.times import iso_of, seconds_of

if TYPE_CHECKING:
    from google.protobuf.struct_pb2 import Value

    from lightflow.control.v1 import control_pb2 as pb

Document = dict[str, Any]


def run_document(run: "pb.Run") -> Document:
    """A run; `dags` is empty where the answer held none, as in lists."""
    return {
        "run_id": run.run_id,
        "workflow": run.workflow,
        "version": run.version or None,
        "state": run.state,
        "arguments": {name: _plain(value) for name, value in run.arguments.fields.items()},
        "started_at": iso_of(run, "started_at"),
        "finished_at": iso_of(run, "finished_at"),
        "duration": seconds_of(run),
        "error": error_document(run),
        "dags": [
            {"name": dag.name, "state": dag.state, "tasks": [task_document(task) for task in dag.tasks]}
            for dag in run.dags
        ],
    }


def task_document(task: "pb.Task") -> Document:
    """A task of a DAG run."""
    return {
        "name": task.name,
        "state": task.state,
        "attempts": task.attempts,
        "worker": task.worker or None,
        "queue": task.queue,
        "started_at": iso_of(task, "started_at"),
        "finished_at": iso_of(task, "finished_at"),
        "duration": seconds_of(task),
        "error": error_document(task),
    }


def error_document(message: "pb.Run | pb.Task") -> Document | None:
    """Why it failed; None when it did not."""
    if not message.HasField("error"):
        return None
    error = message.error
    return {
        "type": error.type,
        "message": error.message,
        "traceback": error.traceback or None,
        "task": error.task or None,
        "dag": error.dag or None,
    }


def workflow_document(workflow: "pb.Workflow") -> Document:
    """A workflow; `parameters` and `dags` are empty in lists."""
    return {
        "name": workflow.name,
        "description": first_line(workflow.docstring),
        "docstring": workflow.docstring,
        "version": workflow.version or None,
        "python": workflow.python or None,
        "deployed": workflow.deployed,
        "created_at": iso_of(workflow, "created_at"),
        "error": workflow.error or None,
        "parameters": [
            {
                "name": option.name,
                "type": option.type,
                "required": option.required,
                "default": None if option.required else option.default_text,
                "help": option.help or None,
            }
            for option in workflow.parameters
        ],
        "dags": [_graph_document(dag) for dag in workflow.dags],
    }


def _graph_document(dag: "pb.Graph") -> Document:
    return {
        "name": dag.name,
        "autostart": dag.autostart,
        "queue": dag.queue,
        "tasks": [{"name": task.name, "type": task.type, "queue": task.queue} for task in dag.tasks],
        "edges": [{"parent": edge.parent, "child": edge.child, "alias": edge.alias or None} for edge in dag.edges],
    }


def worker_document(worker: "pb.Worker") -> Document:
    """A living worker."""
    return {
        "id": worker.id,
        "service": worker.service,
        "name": worker.name,
        "host": worker.host,
        "pid": worker.pid,
        "queues": list(worker.queues),
        "slots": worker.slots,
        "running": worker.running,
        "process_pids": list(worker.process_pids),
        "started_at": iso_of(worker, "started_at"),
        "draining": worker.draining,
        "python": worker.python or None,
        "broker": worker.broker or None,
    }


def event_document(event: "pb.Event") -> Document:
    """Something that happened."""
    return {
        "id": event.id,
        "type": event.type,
        "event": event.event,
        "state": event.state,
        "name": event.name,
        "run_id": event.run_id,
        "workflow": event.workflow,
        "dag": event.dag or None,
        "queue": event.queue or None,
        "worker": event.worker or None,
        "pid": event.pid or None,
        "attempt": event.attempt or None,
        "time": iso_of(event, "time"),
        "duration": seconds_of(event),
    }


def first_line(text: str) -> str:
    """The first line of a docstring that has any text."""
    return next((line.strip() for line in text.splitlines() if line.strip()), "")


def _plain(value: "Value") -> Any:
    """A JSON value; whole numbers come back as such, which a Struct does not keep apart."""
    kind = value.WhichOneof("kind")
    if kind == "number_value":
        return int(value.number_value) if value.number_value.is_integer() else value.number_value
    if kind == "list_value":
        return [_plain(item) for item in value.list_value.values]
    if kind == "struct_value":
        return {name: _plain(item) for name, item in value.struct_value.fields.items()}
    return None if kind in (None, "null_value") else getattr(value, kind)
