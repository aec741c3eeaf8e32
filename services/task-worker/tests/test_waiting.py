"""Which joins may wait, which lend their slot, and what the pool makes of it."""

from contextlib import ExitStack

import pytest

from lightflow.core.errors import JoinImpossible
from lightflow_task_worker.pool import Pool
from lightflow_task_worker.waiting import Awaited, Waiting


def enter(stack, waiting, number, run="run", caller="run:main:1"):
    return stack.enter_context(waiting.for_dag_runs(run, [f"{run}:dag:{number}"], caller=caller))


def test_joins_lend_their_slots_up_to_the_cap():
    waiting = Waiting(slots=2, per_slot=3)
    with ExitStack() as stack:
        assert [enter(stack, waiting, number) for number in range(7)] == [True] * 6 + [False]


@pytest.mark.parametrize(("slots", "kept"), [(1, 0), (2, 1), (4, 3)])
def test_beyond_the_cap_all_slots_but_one_may_be_kept(slots, kept):
    waiting = Waiting(slots, per_slot=1)
    with ExitStack() as stack:
        assert [enter(stack, waiting, number) for number in range(slots + kept)] == [True] * slots + [False] * kept
        with pytest.raises(JoinImpossible, match=r"engine\.join_cap \(now 1 for each slot\)"):
            enter(stack, waiting, 99)


def test_a_wait_that_ended_makes_room():
    waiting = Waiting(slots=1, per_slot=1)
    for _ in range(3):
        with waiting.for_dag_runs("run", ["a"], caller="run:main:1") as lends:
            assert lends
            assert waiting.is_crowded
            assert waiting.is_full
    assert not waiting.is_crowded
    assert not waiting.is_full


def test_the_last_quarter_is_for_what_others_wait_for():
    waiting = Waiting(slots=2, per_slot=4)
    with ExitStack() as stack:
        for number in range(6):
            assert not waiting.is_crowded
            enter(stack, waiting, number)
        assert waiting.is_crowded
        assert enter(stack, waiting, 6)
        assert not waiting.is_full


def test_a_refused_join_is_not_counted():
    waiting = Waiting(slots=1, per_slot=1)
    with ExitStack() as stack:
        enter(stack, waiting, 1)
        with pytest.raises(JoinImpossible):
            enter(stack, waiting, 2)
        assert waiting.awaited().dag_runs == ["run:dag:1"]


def test_what_is_awaited_are_dag_runs_and_whole_runs():
    waiting = Waiting(slots=1, per_slot=9)
    with ExitStack() as stack:
        enter(stack, waiting, 1)
        stack.enter_context(waiting.for_dag_runs("all", None, caller="all:main:1"))
        assert waiting.awaited() == Awaited(["run:dag:1"], ["all"], ["all:main:1", "run:main:1"])


def test_a_dag_run_of_which_a_task_waits_in_turn_is_left_alone_until_that_goes_on():
    waiting = Waiting(slots=1, per_slot=2)
    with ExitStack() as stack:
        enter(stack, waiting, 1)
        with ExitStack() as inner:
            enter(inner, waiting, 2, caller="run:dag:1")
            assert waiting.awaited().dag_runs == ["run:dag:2"]
        assert waiting.awaited().dag_runs == ["run:dag:1"]


def test_who_waits_again_lends_its_slot_again_whoever_keeps_one():
    waiting = Waiting(slots=2, per_slot=1)
    with ExitStack() as stack:
        enter(stack, waiting, 1)
        with ExitStack() as woken:
            assert enter(woken, waiting, 2)
            assert not enter(stack, waiting, 3)
        assert enter(stack, waiting, 4)


def test_a_lent_slot_is_free_for_another_and_counts_as_one_over_afterwards():
    changes = []
    pool = Pool(None, 1, lambda: changes.append("changed"))
    pool.take()
    assert pool.free == 0
    with pool.lent():
        assert pool.free == 1
        pool.take()
    assert (pool.free, pool.running) == (0, 2)
    pool.give()
    assert (pool.free, pool.running) == (0, 1)
    pool.give()
    assert pool.free == 1
    assert len(changes) == 3
