"""Which outputs a task receives ("Data between tasks")."""

from lightflow.core.graph import DagSpec, TaskSpec
from lightflow.core.inputs import Contribution, contributions
from lightflow.core.states import State

TASKS = tuple(TaskSpec(name) for name in ("first", "second", "third", "join"))


def dag(*edges: tuple[int, int, str | None]) -> DagSpec:
    return DagSpec("dag", tasks=TASKS, edges=edges)


def test_a_task_without_predecessors_receives_nothing() -> None:
    assert contributions(dag(), 0, {}) == ()


def test_outputs_come_in_the_order_of_the_schema_not_of_the_tasks() -> None:
    states = {0: State.SUCCEEDED, 1: State.SUCCEEDED, 2: State.SUCCEEDED}
    found = contributions(dag((2, 3, None), (0, 3, None), (1, 3, None)), 3, states)
    assert [one.name for one in found] == ["third", "first", "second"]


def test_an_output_comes_under_the_slot_that_its_edge_names() -> None:
    found = contributions(dag((0, 3, "slot")), 3, {0: State.SUCCEEDED})
    assert found == (Contribution(0, "first", "slot"),)


def test_an_empty_slot_means_none() -> None:
    found = contributions(dag((0, 3, ""), (1, 3, None)), 3, {0: State.SUCCEEDED, 1: State.SUCCEEDED})
    assert [one.alias for one in found] == [None, None]


def test_a_skipped_predecessor_contributes_nothing() -> None:
    found = contributions(dag((0, 3, None), (1, 3, None)), 3, {0: State.SKIPPED, 1: State.SUCCEEDED})
    assert [one.name for one in found] == ["second"]


def test_a_stopped_predecessor_contributes_its_output() -> None:
    assert [one.name for one in contributions(dag((0, 3, None)), 3, {0: State.STOPPED})] == ["first"]


def test_a_predecessor_whose_limit_leaves_the_task_out_contributes_its_output() -> None:
    """A limit is no part of what decides: only the state is."""
    found = contributions(dag((0, 3, None), (1, 3, None)), 3, {0: State.SUCCEEDED, 1: State.SUCCEEDED})
    assert [one.name for one in found] == ["first", "second"]


def test_a_task_whose_predecessors_were_all_skipped_receives_nothing() -> None:
    assert contributions(dag((0, 3, None), (1, 3, None)), 3, {0: State.SKIPPED, 1: State.SKIPPED}) == ()
