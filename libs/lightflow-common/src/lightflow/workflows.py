"""Start, stop and list workflows, and see what happens to them: functions over a configuration.

`lightflow.client.Client` offers the same as objects. All but `list_workflows` speak to the control service of a running
system and raise NoControlService where there is none.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from lightflow.core.errors import InvalidRequest, LightflowException
from lightflow.core.ids import new_id
from lightflow.core.nearest import hint
from lightflow.queue.const import DefaultJobQueueName, JobStatus, JobType
from lightflow.queue.event import JobEvent
from lightflow.queue.models import JobStats
from lightflow.runtime import records
from lightflow.runtime.rpc.connection import connected
from lightflow.runtime.told import told
from lightflow.runtime.workflow_list import ListedWorkflow, loaded

if TYPE_CHECKING:
    from lightflow.config import Config
    from lightflow.control.v1 import control_pb2 as pb
    from lightflow.runtime.rpc.client import ControlClient

__all__ = ["ListedWorkflow", "events", "list_jobs", "list_workflows", "start_workflow", "stop_workflow"]

_RUN_STATES = {JobStatus.Active: ("running", "stopping"), JobStatus.Registered: ("pending",)}
_DAG_STATES = {JobStatus.Active: ("running", "stopping"), JobStatus.Reserved: ("pending",)}
_TASK_STATES = {
    JobStatus.Active: ("running",),
    JobStatus.Reserved: ("queued",),
    JobStatus.Scheduled: ("queued", "waiting"),
}
_STATUSES = (JobStatus.Active, JobStatus.Registered, JobStatus.Reserved, JobStatus.Scheduled)
_TYPES = (JobType.Workflow, JobType.Dag, JobType.Task)
_OPEN = ("pending", "running", "stopping")
_DELAYED = "its delay"


def start_workflow(
    name: str,
    config: "Config",
    *,
    queue: str = DefaultJobQueueName.Workflow,
    clear_data_store: bool = True,
    store_args: Mapping[str, Any] | None = None,
) -> str:
    """Start the workflow of that name and give the id of its run, 24 hex digits.

    `store_args` are its start arguments; texts are converted as its options say. Raises WorkflowImportError, which
    WorkflowUnknown is one of, WorkflowDefinitionError and WorkflowArgumentError; then there is no run.
    """
    from lightflow.runtime.datastore.encoding import encode

    given = dict(store_args or {})
    text = {key: value for key, value in given.items() if isinstance(value, str)}
    encoded = {key: encode(value) for key, value in given.items() if key not in text}
    with connected(config) as client:
        answer = client.start_run(
            name, text=text, encoded=encoded, key=new_id(), queue=queue, keep_data=not clear_data_store
        )
    return answer.run.run_id


def stop_workflow(
    config: "Config", *, names: str | Iterable[str] | None = None
) -> tuple[list[JobStats], list[JobStats]]:
    """Stop runs: those of workflows of these names, and those of these run or job ids; without names all.

    Gives the jobs of the runs that were stopped and of those that could not be; running tasks may still finish.
    """
    with connected(config) as client:
        workers = records.Workers(client.list_workers())
        stopped: list[JobStats] = []
        failed: list[JobStats] = []
        for run in _meant(client, _names(names)):
            job = records.job_of_run(run, workers)
            (stopped if _stop(client, run.run_id) else failed).append(job)
    return stopped, failed


def list_workflows(config: "Config") -> list[ListedWorkflow]:
    """The workflows of the configuration's folders, each with `name`, `docstring`, `parameters` and `error`.

    Needs no running system: each file is executed in a child process of its own. One that does not load is listed with
    its `error`; a file without a DAG is left out.
    """
    return loaded(config.workflows, config.libraries, config.engine["load_timeout"])


def list_jobs(
    config: "Config",
    *,
    status: int = JobStatus.Active,
    filter_by_type: str | Iterable[str] | None = None,
    filter_by_worker: str | Iterable[str] | None = None,
) -> list[JobStats]:
    """Runs, DAG runs and tasks of a JobStatus, of these types and on these workers where some are named.

    Active is what runs, Reserved what is queued, Scheduled what waits for a delay or for predecessors, Registered the
    runs that have not begun. Raises InvalidRequest for a status or a type that does not exist.
    """
    if status not in _STATUSES:
        raise InvalidRequest("status", f"{status!r} is no status; it takes one of JobStatus, such as JobStatus.Active")
    types, names = _names(filter_by_type) or list(_TYPES), _names(filter_by_worker)
    for kind in types:
        if kind not in _TYPES:
            raise InvalidRequest("filter_by_type", f"there is no job type {kind!r}{hint(kind, _TYPES)}")
    with connected(config) as client:
        jobs = list(_jobs(client, status, types))
    return [job for job in jobs if names is None or job.worker_name in names]


def events(config: "Config") -> Iterator[JobEvent]:
    """What happens to runs, DAG runs and tasks from this call on, without end; each once, also through an outage."""
    client = connected(config)
    return map(records.event_of, told(lambda since: client.watch_events(since=since)))


def _jobs(client: "ControlClient", status: int, types: Iterable[str]) -> Iterator[JobStats]:
    workers = records.Workers(client.list_workers())
    if JobType.Workflow in types and (states := _RUN_STATES.get(status)):
        yield from (records.job_of_run(run, workers) for run in client.list_runs(states=states))
    if JobType.Dag in types and (states := _DAG_STATES.get(status)):
        for run in client.list_runs(states=_OPEN):
            dags = client.get_run(run.run_id).dags
            yield from (records.job_of_dag(run.run_id, dag, workers) for dag in dags if dag.state in states)
    if JobType.Task in types and (states := _TASK_STATES.get(status)):
        tasks = client.list_tasks(states=states)
        yield from (records.job_of_task(task, workers) for task in tasks if _is(task, status))


def _is(task: "pb.Task", status: int) -> bool:
    """Whether a task whose state fits has the status: one that is queued may be so for later."""
    return task.state != "queued" or (task.waits_for == _DELAYED) == (status == JobStatus.Scheduled)


def _meant(client: "ControlClient", names: list[str] | None) -> "list[pb.Run]":
    runs = list(client.list_runs(states=_OPEN))
    if names is None:
        return runs
    ids = {records.run_of(name) for name in names}
    return [run for run in runs if run.workflow in names or run.run_id in ids]


def _stop(client: "ControlClient", run_id: str) -> bool:
    try:
        client.stop_run(run_id)  # one that has ended by itself in the meantime stays as it is
    except LightflowException:
        return False
    return True


def _names(given: str | Iterable[str] | None) -> list[str] | None:
    return None if given is None else [given] if isinstance(given, str) else list(given)
