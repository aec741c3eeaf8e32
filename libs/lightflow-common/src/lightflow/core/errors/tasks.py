"""What tasks raise, and errors of how they end."""

from dataclasses import field

from lightflow.core.exception import LightflowException, with_fields


class AbortWorkflow(LightflowException):
    """Raised by a task to end the whole run as aborted."""


@with_fields
class StopTask(LightflowException):
    """Raised by a task to end itself as stopped, skipping its successors unless told otherwise."""

    message: str = ""
    skip_successors: bool = field(default=True, kw_only=True)


class NoRetry(LightflowException):
    """Raised by a task to fail at once, whatever attempts are left."""


@with_fields
class TaskTimeout(LightflowException):
    """An attempt ran longer than its task's timeout, in seconds."""

    task: str = ""
    seconds: float = 0.0
    template = "Task {self.task!r} exceeded its timeout of {self.seconds:g} s"


@with_fields
class OutputUnpicklable(LightflowException):
    """The output of a task cannot be sent to its successors."""

    task: str = ""
    reason: str = ""
    template = (
        "The data of task {self.task!r} cannot be sent to its successors: {self.reason}; "
        "hand on what can be pickled, such as the path or the numbers that the object stands for"
    )


@with_fields
class TaskReturnActionInvalid(LightflowException):
    """A task returned something else than None or an Action."""

    task: str = ""
    returned: str = ""
    template = "Task {self.task!r} returned {self.returned}; a task returns None or an Action"
