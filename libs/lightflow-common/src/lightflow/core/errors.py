"""Every error of Lightflow, one family: a class says what happened in its `template`, an instance fills in fields."""

from dataclasses import field

from lightflow.core.exception import LightflowException as LightflowException
from lightflow.core.exception import with_fields
from lightflow.core.nearest import hint

# Configuration


class ConfigLoadError(LightflowException):
    """The configuration cannot be read."""

    template = "The configuration cannot be read."


class ConfigOverwriteError(LightflowException):
    """Writing would replace a configuration that exists."""

    template = "The configuration file exists already."


class ConfigNotDefinedError(LightflowException):
    """A configuration is needed and none was given."""

    template = "No configuration is loaded; load one with Config.from_file() or Config().load_from_dict({})."


class ConfigFieldError(LightflowException):
    """A field of the configuration is missing or has a wrong value."""

    template = "A field of the configuration is missing or wrong."


@with_fields
class ConfigFieldUnknown(ConfigFieldError):
    """A key that no section knows; `known` are the keys of that place."""

    name: str
    known: tuple[str, ...] = ()
    source: str = "the configuration"
    template = "{self.source} has the unknown key {self.name!r}{self.hint}"

    @property
    def hint(self) -> str:
        prefix, _, key = self.name.rpartition(".")
        return hint(key, (known.removeprefix(f"{prefix}.") for known in self.known))


# Workflows and what they are made of


class WorkflowArgumentError(LightflowException):
    """A start argument is missing, unknown or cannot be converted."""

    template = "The arguments do not fit the workflow's parameters."


@with_fields
class WorkflowImportError(LightflowException):
    """A workflow file cannot be executed; `file`, `line` and `text` are the place in the user's code, if any."""

    message: str = ""
    file: str = ""
    line: int = 0
    text: str = ""
    template = "The workflow cannot be imported."


@with_fields
class WorkflowDefinitionError(LightflowException):
    """A DAG of a workflow is not well defined."""

    workflow_name: str = ""
    graph_name: str = ""
    reason: str = "the tasks of a DAG do not form a directed acyclic graph"
    template = "Workflow {self.workflow_name!r}: {self.reason}"


@with_fields
class DirectedAcyclicGraphInvalid(LightflowException):
    """The tasks of a DAG form a cycle; `cycle` names them in order, without repeating the first."""

    graph_name: str = ""
    cycle: tuple[str, ...] = ()
    template = "DAG {self.graph_name!r} has a cycle{self.path}; take one of its edges out of the schema"

    @property
    def path(self) -> str:
        if not self.cycle:
            return ""
        names = [*self.cycle, self.cycle[0]]
        shown = names if len(names) <= 12 else [*names[:6], f"({len(names) - 11} more)", *names[-5:]]
        return ": " + " -> ".join(shown)


@with_fields
class TaskNameTaken(DirectedAcyclicGraphInvalid):
    """Two tasks of a DAG have the same name."""

    task_name: str = ""
    template = "DAG {self.graph_name!r} has two tasks named {self.task_name!r}; give each task its own name"


@with_fields
class DirectedAcyclicGraphUndefined(LightflowException):
    """A DAG has no schema, or one that is none."""

    graph_name: str = ""
    reason: str = "has no schema; call its define() with a dict of tasks"
    template = "DAG {self.graph_name!r} {self.reason}"


@with_fields
class DagNameUnknown(LightflowException):
    """A workflow has no DAG of that name."""

    name: str = ""
    known: tuple[str, ...] = ()
    template = "There is no DAG {self.name!r}{self.hint}"

    @property
    def hint(self) -> str:
        return hint(self.name, self.known)


@with_fields
class WorkflowUnknown(LightflowException):
    """No deployed workflow and no file of that name; `folders` are the places that were searched."""

    name: str
    known: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()
    template = "There is no workflow {self.name!r}{self.places}{self.hint}"

    @property
    def places(self) -> str:
        return f" (searched: {', '.join(self.folders)})" if self.folders else ""

    @property
    def hint(self) -> str:
        return hint(self.name, self.known)


@with_fields
class WorkflowUnpicklable(LightflowException):
    """A task holds something that cannot be sent to another process."""

    task: str
    reason: str
    template = (
        "Task {self.task!r} cannot be sent to a worker: {self.reason}; "
        "create what cannot be pickled inside the task's function instead of at the top of the file"
    )


@with_fields
class LoadTimeout(LightflowException):
    """Executing a workflow file took too long; `seconds` is the limit."""

    name: str
    seconds: float
    template = (
        "Loading workflow {self.name!r} took more than {self.seconds:g} s; "
        "move long work from the top of the file into a task"
    )


@with_fields
class PythonMismatch(LightflowException):
    """A version was made with another Python than the worker runs."""

    version: str
    made_with: str
    running: str
    template = (
        "Version {self.version} was made with Python {self.made_with} and this worker runs {self.running}; "
        "run workers of one Python, or start the workflow again"
    )


# What user code raises


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
class TaskReturnActionInvalid(LightflowException):
    """A task returned something else than None or an Action."""

    task: str = ""
    returned: str = ""
    template = "Task {self.task!r} returned {self.returned}; a task returns None or an Action"


# Data between tasks, and of the run


class DataInvalidIndex(LightflowException):
    """No dataset at that index."""

    template = "There is no dataset at that index."


class DataInvalidAlias(LightflowException):
    """No dataset of that name or alias."""

    template = "There is no dataset of that alias."


class DataStoreNotConnected(LightflowException):
    """The data store was used before it was connected, or has lost its server."""

    template = "The data store is not connected; call connect() first."


class DataStoreIDExists(LightflowException):
    """A run of that id exists already."""

    template = "A run with that id exists in the data store already."


class DataStoreIDInvalid(LightflowException):
    """Not an id of the data store."""

    template = "That is no id of the data store."


class DataStoreGridfsIdInvalid(LightflowException):
    """A stored value refers to a blob that is gone."""

    template = "The stored value refers to a blob that does not exist."


class DataStoreDecodeUnknownType(LightflowException):
    """A stored value has a type that this release cannot read."""

    template = "The stored value has a type that cannot be decoded."


@with_fields
class DataStoreNotAList(LightflowException):
    """push or extend met a value that is no list."""

    key: str
    template = "The value under {self.key!r} is not a list; push and extend only append to lists"


@with_fields
class DataStoreKeyInvalid(LightflowException):
    """A key of the store that cannot name a value."""

    key: str
    reason: str = "use names joined by dots"
    template = "{self.key!r} is no key of the store: {self.reason}"


@with_fields
class DataTooLarge(LightflowException):
    """Something exceeds a limit; `size` and `limit` in bytes."""

    what: str
    size: int
    limit: int
    template = "{self.what} has {self.size:,} bytes and {self.limit:,} are the limit"


@with_fields
class PayloadForged(LightflowException):
    """Stored bytes do not carry the signature of this system."""

    what: str = "a stored payload"
    template = "The signature of {self.what} is wrong: it was made with another key, or was tampered with"


# Runs, workers and the control service


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
        return hint(self.task, self.known)


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


@with_fields
class NoControlService(LightflowException):
    """No control service answered; `tried` says where it was looked for."""

    tried: tuple[str, ...] = ()
    template = (
        "No Lightflow system can be reached; start one with `lightflowctl up` or `lightflow worker start`, "
        "or name one with --target{self.places}"
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


# Job and worker records of the Python API


class EventTypeUnknown(LightflowException):
    """An event of an unknown type."""

    template = "The type of the event is unknown."


class JobEventTypeUnsupported(LightflowException):
    """A job event of a type that has no object."""

    template = "The type of the job event is not supported."


class WorkerEventTypeUnsupported(LightflowException):
    """A worker event of a type that has no object."""

    template = "The type of the worker event is not supported."


class JobStatInvalid(LightflowException):
    """The record of a job lacks something."""

    template = "The record of the job is invalid."
