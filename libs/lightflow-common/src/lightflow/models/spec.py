"""A workflow's objects as data: what a version records of them."""

from collections.abc import Callable
from typing import Any

from lightflow.core.graph import DagSpec, TaskSpec, WorkflowSpec
from lightflow.models.base_task import BaseTask, options_of
from lightflow.models.dag import Dag, check
from lightflow.models.workflow import Workflow


def spec_of(workflow: Workflow, *, encode: Callable[[Any], bytes]) -> WorkflowSpec:
    """The workflow as data; `encode` makes bytes of the defaults of options.

    Raises DirectedAcyclicGraphInvalid and DirectedAcyclicGraphUndefined, also for DAGs that were defined unchecked.
    """
    return WorkflowSpec(
        name=workflow.name,
        docstring=workflow.docstring,
        parameters=tuple(option.spec(encode) for option in workflow.parameters),
        dags=tuple(dag_spec_of(dag) for dag in workflow.dags),
    )


def dag_spec_of(dag: Dag) -> DagSpec:
    """A DAG as data; the indexes are those of `dag.parts()`."""
    tasks, edges = dag.parts()
    check(dag.name, tasks, edges)
    return DagSpec(dag.name, bool(dag.autostart), dag.queue, tuple(map(task_spec_of, tasks)), tuple(edges))


def task_spec_of(task: BaseTask) -> TaskSpec:
    """A task as data."""
    options = options_of(task)
    return TaskSpec(
        name=task.name,
        type=type(task).__name__,
        queue=task.queue,
        force_run=bool(task._force_run),
        propagate_skip=bool(task._propagate_skip),
        retries=options.retries,
        retry_delay=options.retry_delay,
        retry_backoff=options.retry_backoff,
        retry_jitter=options.retry_jitter,
        timeout=options.timeout,
    )
