"""Errors of workflows and what they are made of."""

from lightflow.core.exception import LightflowException, with_fields
from lightflow.core.nearest import hint


class WorkflowArgumentError(LightflowException):
    """A start argument is missing, unknown or cannot be converted."""

    template = "The arguments do not fit the workflow's parameters."


class WorkflowImportError(LightflowException):
    """A workflow cannot be loaded; `file`, `line` and `text` are the place in the user's code, if any."""

    template = "The workflow cannot be imported."
    file = ""
    line = 0
    text = ""

    def __init__(self, message: str = "", file: str = "", line: int = 0, text: str = "") -> None:
        super().__init__(message)
        self.file, self.line, self.text = file, line, text


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
class WorkflowUnknown(WorkflowImportError):
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
class WorkflowUnpicklable(WorkflowImportError):
    """A task holds something that cannot be sent to another process."""

    task: str
    reason: str
    template = (
        "Task {self.task!r} cannot be sent to a worker: {self.reason}; "
        "create what cannot be pickled inside the task's function instead of at the top of the file"
    )


@with_fields
class LoadTimeout(WorkflowImportError):
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
