"""The meta section of a run in this process: the log, derived from its record as on the real system."""

from typing import TYPE_CHECKING, Any

from lightflow.local.attempts import WORKER
from lightflow.local.dags import DagRun, TaskRun
from lightflow.runtime.datastore.meta import tree

if TYPE_CHECKING:
    from lightflow.local.engine import Engine


def meta_of(engine: "Engine") -> dict[str, Any]:
    """What the record of the run says at this moment."""
    run = {"workflow": engine.workflow, "queue": engine.queue, "started_at": engine.started_at}
    dag_runs = [_times(dag_run) for dag_run in engine.dag_runs.values()]
    tasks = [_task(dag_run, task) for dag_run in engine.dag_runs.values() for task in dag_run.tasks if task.attempts]
    return tree(run, dag_runs, tasks)


def _times(dag_run: DagRun) -> dict[str, Any]:
    return {"name": dag_run.name, "started_at": dag_run.started_at, "finished_at": dag_run.finished_at}


def _task(dag_run: DagRun, task: TaskRun) -> dict[str, Any]:
    return {
        "dag": dag_run.name,
        "task": task.spec.name,
        "queue": task.spec.queue,
        "finished_at": task.finished_at,
        "attempts": [{"worker": WORKER, "started_at": attempt.started_at} for attempt in task.attempts],
    }
