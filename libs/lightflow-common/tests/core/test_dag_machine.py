"""What a DAG run does next, decision by decision."""

from dataclasses import replace
from types import MappingProxyType
from typing import Any

import pytest

from lightflow.core.dag_machine import DagDecision, DagFacts, decide
from lightflow.core.graph import DagSpec, TaskSpec
from lightflow.core.readiness import SKIPPED, Facts, Final
from lightflow.core.states import Reason, State

SUCCEEDED = Final(State.SUCCEEDED)
ABORTED = Final(State.ABORTED)
FAILED = Final(State.FAILED)
CHAIN = DagSpec("chain", tasks=tuple(map(TaskSpec, "abc")), edges=((0, 1, None), (1, 2, None)))
JOIN = DagSpec("join", tasks=tuple(map(TaskSpec, "abc")), edges=((0, 2, None), (1, 2, None)))
EMPTY = DagSpec("empty")


def running(*, fresh: Facts = MappingProxyType({}), known: Facts = MappingProxyType({}), **more: Any) -> DagFacts:
    return DagFacts(State.RUNNING, fresh=fresh, known={**known, **fresh}, **more)


def stopping(reason: Reason, **facts: Any) -> DagFacts:
    return replace(running(**facts), state=State.STOPPING, reason=reason)


def test_a_pending_dag_run_creates_its_tasks_and_queues_those_without_predecessors() -> None:
    decision = decide(JOIN, DagFacts(State.PENDING))
    assert decision == DagDecision(create_tasks=True, become=State.RUNNING, queue=(0, 1))


def test_a_dag_run_without_tasks_asks_at_once_whether_it_is_over() -> None:
    decision = decide(EMPTY, DagFacts(State.PENDING))
    assert decision == DagDecision(create_tasks=True, become=State.RUNNING, count=True)
    assert decide(EMPTY, running(remaining=False)).become is State.SUCCEEDED


@pytest.mark.parametrize("reason", Reason)
def test_a_dag_run_that_is_stopped_before_it_began_ends_with_all_its_tasks_stopped(reason: Reason) -> None:
    facts = DagFacts(State.PENDING, stop=reason)
    assert decide(JOIN, facts) == DagDecision(create_tasks=True, stop_open=True, count=True)
    assert decide(JOIN, replace(facts, remaining=False)) == DagDecision(become=State(reason), reason=reason)


@pytest.mark.parametrize("facts", [{"remaining": True}, {"remaining": False, "fresh": {0: SUCCEEDED}}], ids=str)
def test_one_that_is_stopped_after_a_look_queued_its_tasks_and_broke_off_runs_before_it_stops(facts: Any) -> None:
    pending = DagFacts(State.PENDING, stop=Reason.STOPPED, **facts)
    assert decide(JOIN, pending) == DagDecision(become=State.RUNNING, again=True)
    assert decide(JOIN, replace(pending, state=State.RUNNING)).become is State.STOPPING


def test_a_look_that_queued_the_tasks_and_broke_off_is_finished_by_the_next() -> None:
    decision = decide(JOIN, DagFacts(State.PENDING, fresh={0: SUCCEEDED}, known={0: SUCCEEDED}))
    assert decision == DagDecision(create_tasks=True, become=State.RUNNING, queue=(1,), again=True)
    assert not decision.begins


def test_a_look_that_began_and_broke_off_is_finished_by_the_next() -> None:
    decision = decide(JOIN, running(begins=True))
    assert decision.queue == (0, 1)
    assert decision.count


def test_a_root_that_is_known_to_have_ended_is_not_queued_again() -> None:
    assert decide(JOIN, running(begins=True, known={0: SUCCEEDED})).queue == (1,)


def test_a_beginning_that_may_have_queued_nothing_asks_whether_the_dag_run_is_over() -> None:
    single = DagSpec("single", tasks=(TaskSpec("a"),))
    assert decide(single, running(begins=True, fresh={0: SUCCEEDED})) == DagDecision(count=True)


def test_what_became_ready_is_queued_and_the_mark_is_cleared_when_it_is_known_to_be_open() -> None:
    facts = running(fresh={0: SUCCEEDED})
    assert decide(CHAIN, facts) == DagDecision(queue=(1,), count=True)
    assert decide(CHAIN, replace(facts, remaining=True)) == DagDecision(propagated=(0,))


def test_a_dag_run_whose_ready_task_had_ended_unseen_is_over() -> None:
    facts = running(fresh={0: SUCCEEDED}, remaining=False)
    assert decide(CHAIN, facts) == DagDecision(become=State.SUCCEEDED, propagated=(0,))


def test_what_is_ready_beside_a_task_that_is_open_needs_no_question() -> None:
    tasks = (TaskSpec("a"), TaskSpec("b"), TaskSpec("c"), TaskSpec("d"))
    forks = DagSpec("forks", tasks=tasks, edges=((0, 2, None), (0, 3, None), (1, 3, None)))
    facts = running(fresh={0: SUCCEEDED}, still_open=frozenset({1}))
    assert decide(forks, facts) == DagDecision(queue=(2,), propagated=(0,))


def test_what_nobody_selects_is_skipped_before_anything_is_queued() -> None:
    tasks = (TaskSpec("a"), TaskSpec("b", propagate_skip=False), TaskSpec("c"))
    decision = decide(replace(CHAIN, tasks=tasks), running(fresh={0: Final(State.SUCCEEDED, ())}))
    assert decision == DagDecision(skip=(1,), queue=(2,), count=True)
    order = list(DagDecision.__slots__)
    assert order.index("skip") < order.index("queue") < order.index("propagated")


def test_a_predecessor_of_which_nothing_is_known_is_asked_for_before_anything_is_done() -> None:
    assert decide(JOIN, running(fresh={0: SUCCEEDED})) == DagDecision(probe=(1,))


def test_a_predecessor_that_is_still_open_holds_its_successor_back_and_the_mark_is_cleared() -> None:
    decision = decide(JOIN, running(fresh={0: SUCCEEDED}, still_open=frozenset({1})))
    assert decision == DagDecision(propagated=(0,))


def test_a_look_that_queues_nothing_asks_whether_the_dag_run_is_over_before_it_clears_the_marks() -> None:
    facts = running(fresh={2: SUCCEEDED})
    assert decide(CHAIN, facts) == DagDecision(count=True)
    assert decide(CHAIN, replace(facts, remaining=True)) == DagDecision(propagated=(2,))
    assert decide(CHAIN, replace(facts, remaining=False)) == DagDecision(become=State.SUCCEEDED, propagated=(2,))


def test_a_dag_run_whose_last_tasks_are_skipped_is_over_too() -> None:
    assert decide(CHAIN, running(fresh={0: Final(State.SUCCEEDED, ())})) == DagDecision(skip=(1, 2), count=True)


def test_a_task_that_was_seen_open_and_is_skipped_by_this_look_does_not_answer_whether_the_dag_run_is_over() -> None:
    tasks = tuple(map(TaskSpec, "abc"))
    triangle = DagSpec("triangle", tasks=tasks, edges=((0, 1, None), (0, 2, None), (1, 2, None)))
    decision = decide(triangle, running(fresh={0: Final(State.SUCCEEDED, ())}, still_open=frozenset({1})))
    assert decision == DagDecision(skip=(1, 2), count=True)


def test_skipping_goes_on_below_a_task_that_another_look_skipped() -> None:
    decision = decide(CHAIN, running(fresh={0: Final(State.SUCCEEDED, ())}, known={1: SKIPPED}))
    assert decision == DagDecision(skip=(2,), count=True)


def test_a_hint_without_news_only_asks_whether_the_dag_run_is_over() -> None:
    assert decide(CHAIN, running()) == DagDecision(count=True)
    assert decide(CHAIN, running(remaining=True)) == DagDecision()
    assert decide(CHAIN, running(remaining=False)) == DagDecision(become=State.SUCCEEDED)


@pytest.mark.parametrize(("end", "reason"), [(ABORTED, Reason.ABORTED), (FAILED, Reason.FAILED)])
def test_a_task_that_aborts_or_fails_stops_the_dag_run(end: Final, reason: Reason) -> None:
    decision = decide(CHAIN, running(fresh={0: end}))
    assert decision == DagDecision(become=State.STOPPING, reason=reason, stop_open=True, count=True)


def test_a_request_stops_the_dag_run() -> None:
    decision = decide(CHAIN, running(stop=Reason.STOPPED))
    assert decision == DagDecision(become=State.STOPPING, reason=Reason.STOPPED, stop_open=True, count=True)


def test_nothing_new_starts_once_something_stops_the_dag_run() -> None:
    decision = decide(JOIN, running(stop=Reason.STOPPED, begins=True, fresh={0: SUCCEEDED, 1: SUCCEEDED}))
    assert decision.queue == decision.skip == ()


def test_of_several_reasons_the_strongest_is_recorded() -> None:
    facts = running(stop=Reason.STOPPED, fresh={0: ABORTED, 1: FAILED})
    assert decide(JOIN, facts).reason is Reason.FAILED


def test_a_stronger_reason_replaces_a_weaker_one_while_stopping() -> None:
    decision = decide(JOIN, stopping(Reason.STOPPED, fresh={1: FAILED}))
    assert (decision.become, decision.reason) == (State.STOPPING, Reason.FAILED)


def test_a_weaker_reason_changes_nothing() -> None:
    decision = decide(JOIN, stopping(Reason.FAILED, fresh={1: ABORTED}))
    assert decision == DagDecision(stop_open=True, count=True)


@pytest.mark.parametrize("reason", Reason)
def test_a_stopping_dag_run_ends_with_its_reason_when_no_task_is_left(reason: Reason) -> None:
    facts = stopping(reason, fresh={1: SUCCEEDED})
    assert decide(JOIN, facts) == DagDecision(stop_open=True, count=True)
    waiting = decide(JOIN, replace(facts, remaining=True))
    assert (waiting.become, waiting.propagated) == (None, (1,))
    over = decide(JOIN, replace(facts, remaining=False))
    assert (over.become, over.reason, over.propagated) == (State(reason), reason, (1,))


def test_a_final_dag_run_only_clears_the_marks() -> None:
    assert decide(CHAIN, DagFacts(State.SUCCEEDED, fresh={0: SUCCEEDED})) == DagDecision(propagated=(0,))


def test_a_look_that_ended_a_dag_run_and_broke_off_leaves_no_task_waiting() -> None:
    assert decide(CHAIN, DagFacts(State.STOPPED, begins=True)) == DagDecision(stop_open=True)
