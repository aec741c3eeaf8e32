"""The rules of "Skipping", one test each, and how they spread through a graph."""

import pytest

from lightflow.core.graph import DagSpec, TaskSpec
from lightflow.core.readiness import SKIPPED, Final, Spread, runs, spread
from lightflow.core.states import State

SUCCEEDED = Final(State.SUCCEEDED)
NONE = Final(State.SUCCEEDED, ())


def dag(edges: str, *, force: str = "", lets_run: str = "") -> DagSpec:
    """A DAG from "ab ac": tasks are letters; `force` have force_run, `lets_run` have propagate_skip=False."""
    names = sorted(set(edges) - {" "})
    tasks = tuple(TaskSpec(name, force_run=name in force, propagate_skip=name not in lets_run) for name in names)
    return DagSpec("dag", tasks=tasks, edges=tuple((at(edge[0]), at(edge[1]), None) for edge in edges.split()))


def at(name: str) -> int:
    return ord(name) - ord("a")


def test_a_task_without_predecessors_runs() -> None:
    assert runs(dag("ab"), 0, {})


def test_a_task_runs_when_a_predecessor_succeeded() -> None:
    assert runs(dag("ab"), 1, {0: SUCCEEDED})


def test_a_task_runs_when_a_limit_names_it() -> None:
    assert runs(dag("ab ac"), 1, {0: Final(State.SUCCEEDED, (1,))})


def test_a_task_is_skipped_when_the_only_limit_leaves_it_out() -> None:
    assert not runs(dag("ab ac"), 2, {0: Final(State.SUCCEEDED, (1,))})


def test_an_empty_limit_skips_all_successors() -> None:
    assert not runs(dag("ab"), 1, {0: NONE})


def test_a_task_left_out_by_one_runs_when_another_predecessor_selects_it() -> None:
    assert runs(dag("ac bc"), 2, {0: NONE, 1: SUCCEEDED})


def test_a_task_left_out_by_all_predecessors_is_skipped() -> None:
    assert not runs(dag("ac bc"), 2, {0: NONE, 1: NONE})


def test_force_run_runs_a_task_that_nobody_selects() -> None:
    assert runs(dag("ab", force="b"), 1, {0: NONE})


def test_force_run_runs_a_task_whose_predecessors_were_all_skipped() -> None:
    assert runs(dag("ab", force="b"), 1, {0: SKIPPED})


def test_a_task_whose_predecessors_were_all_skipped_is_skipped() -> None:
    assert not runs(dag("ac bc"), 2, {0: SKIPPED, 1: SKIPPED})


def test_a_skipped_predecessor_that_does_not_propagate_lets_its_successor_run() -> None:
    assert runs(dag("ac bc", lets_run="a"), 2, {0: SKIPPED, 1: SKIPPED})


def test_propagate_skip_says_nothing_about_a_predecessor_that_ran() -> None:
    assert not runs(dag("ab", lets_run="a"), 1, {0: NONE})


def test_one_skipped_predecessor_does_not_skip_a_task_that_another_selects() -> None:
    assert runs(dag("ac bc"), 2, {0: SKIPPED, 1: SUCCEEDED})


def test_stopping_a_task_with_skipping_is_an_empty_limit() -> None:
    assert not runs(dag("ab"), 1, {0: Final(State.STOPPED, ())})
    assert runs(dag("ac bc"), 2, {0: Final(State.STOPPED, ()), 1: SUCCEEDED})


def test_stopping_a_task_without_skipping_runs_all_successors() -> None:
    assert runs(dag("ab"), 1, {0: Final(State.STOPPED)})


def test_a_task_follows_only_when_all_its_predecessors_are_through() -> None:
    join = dag("ac bc")
    assert spread(join, {0: SUCCEEDED}, [0], still_open={1}) == Spread()
    assert spread(join, {0: SUCCEEDED, 1: SUCCEEDED}, [0]).ready == (2,)


def test_force_run_waits_for_its_predecessors_like_any_other() -> None:
    assert spread(dag("ac bc", force="c"), {0: NONE}, [0], still_open={1}) == Spread()


def test_a_predecessor_of_which_nothing_is_known_is_asked_for() -> None:
    assert spread(dag("ac bc"), {0: SUCCEEDED}, [0]).unknown == (1,)


def test_one_predecessor_is_asked_for_at_first_and_more_when_told_so() -> None:
    wide = dag("ae be ce de")
    assert spread(wide, {0: SUCCEEDED}, [0]).unknown == (1,)
    assert spread(wide, {0: SUCCEEDED}, [0], breadth=2).unknown == (1, 2)


def test_one_open_predecessor_is_enough_to_ask_for_no_more() -> None:
    assert spread(dag("ad bd cd"), {0: SUCCEEDED}, [0], still_open={2}).unknown == ()


def test_skipping_spreads_as_far_as_it_reaches() -> None:
    assert spread(dag("ab bc cd"), {0: NONE}, [0]) == Spread(skipped=(1, 2, 3))


def test_skipping_ends_where_a_task_is_forced_to_run() -> None:
    assert spread(dag("ab bc cd", force="c"), {0: NONE}, [0]) == Spread(ready=(2,), skipped=(1,))


def test_skipping_ends_below_a_task_that_does_not_propagate_it() -> None:
    assert spread(dag("ab bc cd", lets_run="b"), {0: NONE}, [0]) == Spread(ready=(2,), skipped=(1,))


def test_a_skipped_task_counts_as_through_for_a_join() -> None:
    follows = spread(dag("ab ac bd cd"), {0: Final(State.SUCCEEDED, (1,)), 1: SUCCEEDED}, [0, 1])
    assert follows == Spread(ready=(3,), skipped=(2,))


def test_tasks_are_skipped_in_an_order_in_which_each_comes_after_its_predecessors() -> None:
    order = spread(dag("ab ac bd cd de"), {0: NONE}, [0]).skipped
    assert order.index(3) > max(order.index(1), order.index(2))
    assert order[-1] == 4


def test_skipping_goes_on_where_an_earlier_look_broke_off() -> None:
    assert spread(dag("ab bc cd"), {0: NONE, 1: SKIPPED}, [0]) == Spread(skipped=(2, 3))


def test_a_successor_that_has_ended_is_not_decided_again() -> None:
    assert spread(dag("ab bc"), {0: SUCCEEDED, 1: SUCCEEDED}, [0]) == Spread()


def test_a_task_with_several_ended_predecessors_follows_once() -> None:
    assert spread(dag("ac bc"), {0: SUCCEEDED, 1: SUCCEEDED}, [0, 1]).ready == (2,)


@pytest.mark.parametrize("state", [State.ABORTED, State.FAILED])
def test_nothing_follows_a_task_that_ends_the_run(state: State) -> None:
    assert spread(dag("ab bc", force="b"), {0: Final(state)}, [0]) == Spread()


def test_what_is_decided_does_not_change_the_facts() -> None:
    facts = {0: NONE}
    spread(dag("ab bc"), facts, [0])
    assert facts == {0: NONE}


def test_a_chain_of_many_thousand_skipped_tasks_is_no_problem() -> None:
    count = 20_000
    tasks = tuple(TaskSpec(f"t{index}") for index in range(count))
    chain = DagSpec("dag", tasks=tasks, edges=tuple((index, index + 1, None) for index in range(count - 1)))
    assert len(spread(chain, {0: NONE}, [0]).skipped) == count - 1


class Counted(int):
    """The index of a predecessor, which counts how often anybody asks whether it is known."""

    asked = 0

    def __hash__(self) -> int:
        type(self).asked += 1
        return super().__hash__()


@pytest.mark.parametrize("ended", [{0: Final(State.SUCCEEDED, (1,))}, dict.fromkeys(range(1, 400), SUCCEEDED)])
def test_a_task_with_many_predecessors_costs_no_more_than_it_has(ended: dict[int, Final]) -> None:
    many = range(1, 1001)
    edges = [(Counted(0), child, None) for child in many] + [(Counted(parent), 1001, None) for parent in many]
    fan = DagSpec("fan", tasks=tuple(TaskSpec(str(index)) for index in range(1002)), edges=tuple(edges))
    known = {0: SUCCEEDED} | ended
    assert fan.predecessors[1001]
    Counted.asked = 0
    spread(fan, known, ended)
    assert Counted.asked < 10 * len(edges)
