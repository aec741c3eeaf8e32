"""Errors of services, workers and the stack."""

from lightflow.core.exception import LightflowException, with_fields


@with_fields
class NoControlService(LightflowException):
    """No control service answered; `tried` says where it was looked for."""

    tried: tuple[str, ...] = ()
    template = (
        "No Lightflow system can be reached; start one with `lightflowctl up` or `lightflow worker start`, "
        "or name one with --target or $LIGHTFLOW_TARGET{self.places}"
    )

    @property
    def places(self) -> str:
        return f" (tried: {', '.join(self.tried)})" if self.tried else ""


@with_fields
class NoWorkerAvailable(LightflowException):
    """No living task worker could do it."""

    purpose: str = "do this"
    queue: str = ""
    template = "No task worker is alive{self.place} to {self.purpose}; start one with `lightflow worker start`"

    @property
    def place(self) -> str:
        return f" on queue {self.queue!r}" if self.queue else ""


@with_fields
class WorkerUnknown(LightflowException):
    """No living worker of that id."""

    worker: str
    template = "There is no living worker {self.worker!r}; `lightflowctl workers` lists them"


@with_fields
class WorkerArgumentInvalid(LightflowException):
    """An argument that a worker cannot be started with."""

    argument: str
    reason: str = "of Celery's it takes -c/--concurrency, -l/--loglevel, -n, --max-tasks-per-child and --autoscale"
    template = "A worker cannot be started with {self.argument!r}: {self.reason}"


@with_fields
class WorkerNameTaken(LightflowException):
    """A living worker on this machine has that name already."""

    name: str
    template = "A worker {self.name!r} runs on this machine already; give this one another name with -n"


@with_fields
class ServiceUnavailable(LightflowException):
    """MongoDB, redis or a service does not answer."""

    service: str
    reason: str = ""
    template = "{self.service} cannot be reached{self.why}"

    @property
    def why(self) -> str:
        return f": {self.reason}" if self.reason else ""


class StackError(LightflowException):
    """The embedded stack cannot do what was asked."""
