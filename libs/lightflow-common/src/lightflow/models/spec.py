"""A workflow's objects as data: what a version records of them."""

from collections.abc import Callable
from typing import Any

from lightflow.core.errors import (
    DirectedAcyclicGraphInvalid,
    DirectedAcyclicGraphUndefined,
    WorkflowDefinitionError,
)
from lightflow.core.graph import DagSpec, TaskSpec, WorkflowSpec
from lightflow.models.base_task import BaseTask, options_of
from lightflow.models.dag import Dag, check
from lightflow.models.workflow import Workflow


def spec_of(workflow: Workflow, *, encode: Callable[[Any], bytes]) -> WorkflowSpec:
    """The workflow as data; `encode` makes bytes of the defaults of options.

    Raises WorkflowDefinitionError for a DAG that is none, and WorkflowArgumentError for a default that cannot be.
    """
    try:
        dags = tuple(dag_spec_of(dag) for dag in workflow.dags)
    except (DirectedAcyclicGraphInvalid, DirectedAcyclicGraphUndefined) as error:
        raise WorkflowDefinitionError(workflow.name, error.graph_name, error.message) from error
    parameters = tuple(option.spec(encode) for option in workflow.parameters)
    return WorkflowSpec(workflow.name, workflow.docstring, parameters, dags)


def dag_spec_of(dag: Dag) -> DagSpec:
    """A DAG as data; the indexes are those of `dag.parts()`.

    Raises DirectedAcyclicGraphInvalid and DirectedAcyclicGraphUndefined, also for one that was defined unchecked.
    """
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
