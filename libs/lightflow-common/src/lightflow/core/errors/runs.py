"""Errors of runs, their tasks, and what is asked of them."""

from lightflow.core.exception import LightflowException, with_fields
from lightflow.core.nearest import hint


class RequestActionUnknown(LightflowException):
    """A request for something that does not exist."""

    template = "The request asks for an unknown action."


class RequestFailed(LightflowException):
    """A request could not be answered."""

    template = "The request failed."


@with_fields
class InvalidRequest(LightflowException):
    """A request is malformed; `field` names the part at fault."""

    field: str
    reason: str
    template = "{self.field}: {self.reason}"


@with_fields
class RunUnknown(LightflowException):
    """No run of that id."""

    run_id: str
    template = "There is no run {self.run_id!r}; `lightflowctl status` lists the runs"


@with_fields
class RunAmbiguous(LightflowException):
    """The beginning of an id fits several runs."""

    prefix: str
    matches: tuple[str, ...] = ()
    template = "{self.prefix!r} is the beginning of several run ids; give more digits: {self.matches}"


@with_fields
class RunFinished(LightflowException):
    """The run is final, so nothing may change in it."""

    run_id: str
    state: str = "final"
    template = "Run {self.run_id} is {self.state}; nothing of it changes any more"


@with_fields
class TaskUnknown(LightflowException):
    """A run has no task of that name."""

    task: str
    run_id: str = ""
    known: tuple[str, ...] = ()
    template = "There is no task {self.task!r} in run {self.run_id}{self.hint}"

    @property
    def hint(self) -> str:
        return hint(self.task, self.known) if self.known else ", which has no tasks (yet)"


@with_fields
class TaskAmbiguous(LightflowException):
    """Several DAG runs of a run have a task of that name."""

    task: str
    matches: tuple[str, ...] = ()
    template = "Several tasks are named {self.task!r}; name it with its DAG run, as one of {self.matches}"


@with_fields
class ResultMissing(LightflowException):
    """A task has no output, or it is no longer kept."""

    task: str
    reason: str
    template = "Task {self.task!r} has no result: {self.reason}"


@with_fields
class JoinImpossible(LightflowException):
    """A join that could never return."""

    reason: str
    template = "join_dags cannot wait: {self.reason}"


@with_fields
class AttemptSuperseded(LightflowException):
    """An attempt that no longer holds its task asked for something."""

    task: str = ""
    attempt: int = 0
    template = "Attempt {self.attempt} no longer holds task {self.task!r}: what it asks for has no effect"


@with_fields
class IllegalMove(LightflowException):
    """A state machine has no such move."""

    machine: str
    source: str
    target: str
    template = "A {self.machine} cannot go from {self.source} to {self.target}"


@with_fields
class DocumentTooNew(LightflowException):
    """A document or hint was written by a newer release; it is left alone."""

    what: str
    schema: int
    supported: int
    template = "{self.what} has schema {self.schema} and this release reads up to {self.supported}: upgrade it"
