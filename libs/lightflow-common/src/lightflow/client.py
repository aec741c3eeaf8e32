"""Start runs and look after them from Python.

A `Client` speaks to a running system, a `Run` is one execution of a workflow:

```text
with Client() as client:
    run = client.start("decision", number=4)
    run.wait()                # 'succeeded'
    run.result("look")        # what the task handed on
```

States are texts: pending, running, stopping, and in the end succeeded, stopped, aborted or failed; of tasks also
waiting, queued and skipped. When the system cannot be reached calls raise NoControlService.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from math import inf
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any, Self

from lightflow.core.errors import LightflowException, RequestFailed, WorkflowImportError
from lightflow.core.ids import new_id
from lightflow.core.outcomes import ErrorInfo
from lightflow.core.states import State
from lightflow.open_runs import Known, OpenRuns
from lightflow.runtime.loglines import LogLines, Writer
from lightflow.runtime.reopening import OUTAGE, reopened
from lightflow.runtime.rpc.client import ControlClient
from lightflow.runtime.rpc.connection import data_dir, written_config
from lightflow.runtime.rpc.targets import find_target
from lightflow.runtime.told import told

if TYPE_CHECKING:
    from lightflow.config import Config
    from lightflow.control.v1 import control_pb2 as pb
    from lightflow.models import Dag, TaskData, Workflow


__all__ = ["Client", "Event", "LogLine", "Run", "WorkflowInfo"]


@dataclass(frozen=True, slots=True)
class WorkflowInfo:
    """A workflow that the system has."""

    name: str
    """by which it is started"""
    docstring: str
    """whole; the first line is the short description"""
    deployed: bool
    """whether starts use a stored version instead of the file"""
    version: str | None
    """the content hash of the deployed version"""
    error: str | None
    """what is wrong with its syntax, None where nothing is: a list executes no file"""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to a run, a DAG run or a task."""

    uuid: str
    """unique, the same whoever asks"""
    type: str
    """`workflow`, `dag` or `task`"""
    event: str
    """a `lightflow.queue.JobEventName`"""
    state: str
    """the state that was entered"""
    name: str
    """of the workflow, the DAG run (with its `:n`) or the task"""
    workflow_id: str
    """the id of the run"""
    queue: str
    """the queue that it came by"""
    hostname: str
    """the worker on which it happened"""
    pid: int
    """the process on that worker"""
    event_time: datetime
    """in UTC"""
    duration: float | None
    """seconds since the start, None for a start"""

    def to_dict(self) -> dict[str, Any]:
        """The event as a dict."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class LogLine:
    """A line that an attempt of a task wrote; `str` of it is the text."""

    dag: str
    """the DAG run, with its `:n`"""
    task: str
    """the name of the task"""
    attempt: int
    """from 1"""
    text: str
    """the line without its newline"""

    def __str__(self) -> str:
        return self.text


class Run:
    """One execution of a workflow; `Client.start`, `Client.run` and `Client.runs` give it."""

    id: str
    """24 hex digits"""
    workflow: str
    """the name of the workflow"""

    def __init__(self, control: ControlClient, open_runs: OpenRuns, message: "pb.Run") -> None:
        self._control = control
        self._open = open_runs
        self._known = Known(message)
        self.id = message.run_id
        self.workflow = message.workflow
        if not self._known.is_final:
            open_runs.add(self._known)

    def __repr__(self) -> str:
        return f"<Run {self.id} of {self.workflow}: {self._known.message.state}>"

    @property
    def state(self) -> State:
        """The state that the run is in now, asked for unless it was final already."""
        return State(self._fresh().state)

    @property
    def error(self) -> ErrorInfo | None:
        """Why the run failed, with `type`, `message` and `traceback`; None when it did not."""
        run = self._fresh()
        return ErrorInfo(run.error.type, run.error.message, run.error.traceback) if run.HasField("error") else None

    def wait(self, timeout: float | None = None) -> State:
        """Wait until the run is final and give its state; raises TimeoutError after `timeout` seconds.

        An outage of the system is waited through for 30 s.
        """
        until = inf if timeout is None else monotonic() + timeout

        def left() -> float:
            return max(until - monotonic(), 0.0)

        def wait() -> Iterator[None]:
            # Again where the service's clock goes faster than this one.
            while (patience := left()) and not self._known.is_final:
                self._open.wait(self._known, None if patience == inf else patience)
            return iter(())

        try:
            for _ in reopened(wait):
                pass
        except (RequestFailed, *OUTAGE):
            if left():
                raise
        if not self._known.is_final:
            raise TimeoutError(f"run {self.id} is {self._known.message.state} after {timeout:g} s")
        return self.state

    def result(self, task: str) -> "TaskData":
        """The output of a task, named NAME or, where several DAG runs have one, DAG:n/NAME.

        Values are unpickled here, so what they are instances of must be importable. Raises TaskUnknown, TaskAmbiguous,
        and ResultMissing where the task has none (yet) or it is no longer kept.
        """
        from lightflow.runtime.shipping import loads

        data: TaskData = loads(self._control.get_result(self.id, task))  # the service verified it
        return data

    def logs(self, task: str = "", *, follow: bool = False) -> Iterator[LogLine]:
        """What the tasks wrote, or one (NAME or DAG:n/NAME), oldest first; with `follow` until the run is final."""
        lines = LogLines()
        for piece in self._control.stream_logs(self.id, task=task, follow=follow):
            writer = Writer(piece.dag, piece.task, piece.attempt)
            for text in lines.feed(writer, piece.text):
                yield LogLine(*writer, text)
        for writer, text in lines.close():
            yield LogLine(*writer, text)

    def stop(self, now: bool = False) -> None:
        """Ask the run to stop, without waiting: nothing new starts, running tasks may finish.

        With `now`, what still runs after `engine.stop_grace` (10 s) is killed. A run that is over stays as it is.
        """
        self._known.hear(self._control.stop_run(self.id, now=now))

    def _fresh(self) -> "pb.Run":
        if not self._known.is_final:
            self._known.hear(self._control.get_run(self.id))
        return self._known.message


class Client:
    """A connection to a running system; use it as a context manager, or `close` it.

    The system is the one at `target` ("host:port" or "unix:/path"), else that of $LIGHTFLOW_TARGET, of the stack in
    ./.lightflow, of the store that `config` names, or, where that store cannot be asked, at the default port. Without
    `config` the configuration file is looked for, as by the command lines. Raises NoControlService.
    """

    def __init__(self, target: str | None = None, *, config: "Config | None" = None) -> None:
        self._config = config or written_config()
        self._target = find_target(target, self._config, data_dir())
        self._control = ControlClient(self._target)
        self._open = OpenRuns(self._control)

    def close(self) -> None:
        """Close the connection."""
        self._control.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self, workflow: "str | Path | Workflow | Dag", /, **arguments: Any) -> Run:
        """Start a workflow: by the name that the system knows it by, a file (a Path, or a text that ends in .py), or
        objects that were built here, with the functions of a script or notebook that they use.

        `arguments` are the start arguments: any objects, converted where an option names a type. Returns when the
        workflow has loaded and the run is stored. Raises WorkflowUnknown, WorkflowImportError,
        WorkflowDefinitionError, WorkflowArgumentError, NoWorkerAvailable, and for objects WorkflowUnpicklable and
        PythonMismatch; then there is no run.
        """
        if isinstance(workflow, str) and "/" not in workflow and not workflow.endswith(".py"):
            return self._start(workflow, "", arguments)
        if isinstance(workflow, str | Path):
            return self._start_file(Path(workflow).expanduser(), arguments)
        built = _workflow(workflow)
        upload = self._upload(built)
        given = {**built.provided_arguments, **arguments}
        return self._start("", upload, given, queue=built.queue, keep_data=not built.clear_data_store)

    def run(self, run_id: str) -> Run:
        """The run of that id, or of a unique beginning of it; raises RunUnknown, RunAmbiguous."""
        return self._run(self._control.get_run(run_id))

    def runs(self, *, states: tuple[str, ...] = (), workflow: str = "", since: datetime | None = None) -> Iterator[Run]:
        """The runs, newest first: those in one of these states, of this workflow, begun `since` then, where given."""
        for message in self._control.list_runs(states=states, workflow=workflow, since=since):
            yield self._run(message)

    def workflows(self) -> list[WorkflowInfo]:
        """The workflows that the system has, by name."""
        return [
            WorkflowInfo(found.name, found.docstring, found.deployed, found.version or None, found.error or None)
            for found in self._control.list_workflows()
        ]

    def events(self, run_id: str = "", *, since: datetime | None = None) -> Iterator[Event]:
        """What happens, from this call or `since` on, in all runs, or in one until it is final."""
        return map(_event, told(lambda time: self._control.watch_events(run_id, since=time), since))

    def _run(self, message: "pb.Run") -> Run:
        return Run(self._control, self._open, message)

    def _start(self, name: str, upload: str, arguments: dict[str, Any], **options: Any) -> Run:
        from lightflow.runtime.datastore.encoding import encode

        encoded = {key: encode(value) for key, value in arguments.items()}
        return self._run(self._control.start_run(name, upload=upload, encoded=encoded, key=new_id(), **options).run)

    def _start_file(self, file: Path, arguments: dict[str, Any]) -> Run:
        from lightflow.runtime.sources import gather, said_of

        if not file.is_file():
            raise WorkflowImportError(f"There is no workflow file {str(file)!r}", str(file))
        libraries = [Path(folder) for folder in self._config.libraries] if self._config else []
        upload = self._control.upload_workflow(file.stem, gather(file.resolve(), libraries))
        with said_of(file.resolve()):
            return self._start("", upload, arguments)

    def _upload(self, workflow: "Workflow") -> str:
        from lightflow.runtime.shipping import ship

        return self._control.upload_workflow(workflow.name, ship(workflow))


def _workflow(given: object) -> "Workflow":
    from lightflow.models import Dag, Workflow

    if isinstance(given, Dag):
        return Workflow.of_dag(given)
    if isinstance(given, Workflow):
        return given
    raise LightflowException(
        f"Client.start takes the name or the file of a workflow, a Workflow or a Dag, not a {type(given).__name__}"
    )


def _event(event: "pb.Event") -> Event:
    duration = event.duration.ToTimedelta().total_seconds() if event.HasField("duration") else None
    time = event.time.ToDatetime(tzinfo=UTC)
    return Event(
        event.id, event.type, event.event, event.state, event.name, event.run_id, event.queue, event.worker, event.pid,
        time, duration,
    )  # fmt: skip
