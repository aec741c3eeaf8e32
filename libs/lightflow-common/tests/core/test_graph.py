"""A workflow as data."""

import json

import pytest

from lightflow.core.errors import DagNameUnknown
from lightflow.core.graph import DagSpec, OptionSpec, TaskSpec, WorkflowSpec
from lightflow.core.outcomes import RetryPolicy

DIAMOND = DagSpec(
    "diamond",
    tasks=tuple(TaskSpec(name) for name in "dabc"),
    edges=((1, 3, "slot"), (1, 2, None), (3, 0, None), (2, 0, "")),
)


def test_predecessors_come_in_the_order_of_the_schema_with_their_aliases() -> None:
    assert DIAMOND.predecessors == (((3, None), (2, "")), (), ((1, None),), ((1, "slot"),))


def test_successors_and_roots_follow_from_the_edges() -> None:
    assert DIAMOND.successors == ((), (3, 2), (0,), (0,))
    assert DIAMOND.roots == (1,)


def test_tasks_alone_are_all_roots() -> None:
    assert DagSpec("alone", tasks=(TaskSpec("a"), TaskSpec("b"))).roots == (0, 1)


def test_no_limit_selects_every_successor() -> None:
    assert DIAMOND.select(1, None) is None


def test_a_limit_selects_successors_by_name_and_ignores_what_is_none() -> None:
    assert DIAMOND.select(1, ("b", "d", "nobody")) == (2,)


def test_an_empty_limit_selects_nothing() -> None:
    assert DIAMOND.select(1, ()) == ()


def test_the_retry_policy_of_a_task_is_made_of_its_options() -> None:
    task = TaskSpec("a", retries=2, retry_delay=1.0, retry_backoff=2.0, retry_jitter=0.5)
    assert task.retry_policy == RetryPolicy(2, 1.0, 2.0, 0.5)


def test_a_workflow_survives_json() -> None:
    full = TaskSpec("full", "BashTask", "q", True, False, 3, 1.0, 2.0, 0.1, 9.0)
    workflow = WorkflowSpec(
        "name",
        "does things",
        (OptionSpec("needed"), OptionSpec("given", "int", False, b"\x00\xff", "7", "how many")),
        (DIAMOND, DagSpec("later", False, "slow", (full,))),
    )
    assert WorkflowSpec.from_json(json.loads(json.dumps(workflow.to_json()))) == workflow


def test_only_what_differs_from_the_defaults_is_written_down() -> None:
    assert TaskSpec("a").to_json() == {"name": "a"}


def test_a_dag_is_found_by_its_name_and_an_unknown_one_is_named_with_the_known_ones() -> None:
    workflow = WorkflowSpec("name", dags=(DIAMOND,))
    assert workflow.dag("diamond") is DIAMOND
    with pytest.raises(DagNameUnknown) as caught:
        workflow.dag("diamant")
    assert (caught.value.name, caught.value.known) == ("diamant", ("diamond",))
