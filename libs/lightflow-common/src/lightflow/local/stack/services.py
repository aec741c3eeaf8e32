"""The command lines of the three services, replica by replica."""

from collections.abc import Iterator

from lightflow.local.stack.options import StackOptions
from lightflow.local.stack.places import Places, replica_name
from lightflow.runtime.services import GRACE_MARGIN, SERVICES, command
from lightflow.runtime.supervision.processes import ProcessSpec, Ready


def service_specs(places: Places, options: StackOptions, grace: float) -> tuple[ProcessSpec, ...]:
    """All replicas of all services; `grace` is what a service gives its running tasks, in seconds."""
    replicas = ((service, number) for service in SERVICES for number in range(1, options.replicas.get(service, 1) + 1))
    return tuple(service_spec(places, options, service, number, grace) for service, number in replicas)


def service_spec(places: Places, options: StackOptions, service: str, replica: int, grace: float) -> ProcessSpec:
    """One replica of a service, counted from 1."""
    name = replica_name(service, replica)
    return ProcessSpec(
        name=name,
        service=service,
        argv=command(service),
        log=places.log(name),
        ready=Ready.DESCRIPTOR,
        socket=places.control_socket(replica) if service == "scheduler" else None,
        environment=dict(environment(places, options, service, replica)),
        grace=grace + GRACE_MARGIN,
    )


def environment(places: Places, options: StackOptions, service: str, replica: int) -> Iterator[tuple[str, str]]:
    """The environment variables of one replica; its worker name stays the same over restarts."""
    yield "PYTHONUNBUFFERED", "1"
    yield "LIGHTFLOW_CONFIG", str(places.config)
    yield "LIGHTFLOW_DATA_DIR", str(places.data_dir)
    yield "LIGHTFLOW_ENGINE_WORKER_NAME", f"{service}-{replica}"
    yield "LIGHTFLOW_QUEUES", ",".join(dict.fromkeys((SERVICES[service], *options.queues.get(service, ()))))
    if service == "scheduler":
        yield "LIGHTFLOW_CONTROL_SOCKET", str(places.control_socket(replica))
    if options.task_slots is not None:
        yield "LIGHTFLOW_ENGINE_TASK_SLOTS", str(options.task_slots)


def targets(places: Places, options: StackOptions) -> tuple[str, ...]:
    """Where the control service is reached, one target per scheduler."""
    return tuple(f"unix:{places.control_socket(n)}" for n in range(1, options.replicas.get("scheduler", 1) + 1))
