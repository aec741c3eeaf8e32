"""What a run does next, decision by decision."""

import pytest

from lightflow.core.graph import DagSpec, TaskSpec
from lightflow.core.run_machine import TASKS_AT_ONCE, RunDecision, RunFacts, Start, begin_at_once, decide
from lightflow.core.states import Reason, State

NEW = Start("a:1", created=False, final=False)
OPEN = Start("b:1", created=True, final=False)
OVER = Start("c:1", created=True, final=True)


def test_a_pending_run_stores_its_arguments_and_creates_its_dag_runs_before_it_runs() -> None:
    decision = decide(RunFacts(State.PENDING, starts=(NEW, OPEN)))
    assert decision == RunDecision(store_arguments=True, create=("a:1",), become=State.RUNNING)


@pytest.mark.parametrize("reason", Reason)
def test_a_run_that_is_stopped_before_it_began_ends_at_once_and_begins_nothing(reason: Reason) -> None:
    decision = decide(RunFacts(State.PENDING, reason=reason, starts=(NEW,)))
    assert decision == RunDecision(become=State(reason), reason=reason, stop_dags=True)


def test_a_dag_run_that_was_asked_for_is_created() -> None:
    assert decide(RunFacts(State.RUNNING, starts=(NEW, OPEN))) == RunDecision(create=("a:1",))


def test_a_run_with_an_open_dag_run_goes_on() -> None:
    assert decide(RunFacts(State.RUNNING, starts=(OPEN, OVER))) == RunDecision()


def test_a_run_succeeds_when_every_dag_run_that_was_asked_for_is_final() -> None:
    facts = RunFacts(State.RUNNING, starts=(OPEN, OVER), ended={"b:1": State.SUCCEEDED})
    assert decide(facts).become is State.SUCCEEDED


def test_a_run_without_dag_runs_succeeds() -> None:
    assert decide(RunFacts(State.RUNNING)).become is State.SUCCEEDED


def test_a_run_does_not_end_before_a_dag_run_that_is_still_to_be_created() -> None:
    decision = decide(RunFacts(State.RUNNING, starts=(NEW, OVER)))
    assert (decision.create, decision.become) == (("a:1",), None)


def test_a_dag_run_that_someone_stopped_does_not_change_how_the_run_ends() -> None:
    facts = RunFacts(State.RUNNING, starts=(OPEN,), ended={"b:1": State.STOPPED}, troubles=frozenset({Reason.STOPPED}))
    assert decide(facts).become is State.SUCCEEDED


@pytest.mark.parametrize("state", [State.ABORTED, State.FAILED])
def test_a_dag_run_that_aborts_or_fails_stops_the_run(state: State) -> None:
    decision = decide(RunFacts(State.RUNNING, starts=(OPEN,), ended={"b:1": state}))
    assert decision == RunDecision(become=State.STOPPING, reason=Reason(state), stop_dags=True)


@pytest.mark.parametrize("reason", [Reason.ABORTED, Reason.FAILED])
def test_a_dag_run_that_is_stopping_for_a_trouble_stops_the_run_before_it_ends(reason: Reason) -> None:
    decision = decide(RunFacts(State.RUNNING, starts=(OPEN,), troubles=frozenset({reason})))
    assert decision == RunDecision(become=State.STOPPING, reason=reason, stop_dags=True)


def test_a_run_that_someone_stopped_asks_its_dag_runs_to_stop_once() -> None:
    facts = RunFacts(State.STOPPING, Reason.STOPPED, starts=(OPEN,))
    assert decide(facts) == RunDecision(reason=Reason.STOPPED, stop_dags=True)
    assert decide(RunFacts(State.STOPPING, Reason.STOPPED, starts=(OPEN,), told_to_stop=True)).stop_dags is False


def test_a_reason_on_record_stops_a_running_run() -> None:
    assert decide(RunFacts(State.RUNNING, Reason.STOPPED, starts=(OPEN,))).become is State.STOPPING


def test_a_dag_run_created_while_stopping_is_asked_to_stop() -> None:
    decision = decide(RunFacts(State.STOPPING, Reason.STOPPED, starts=(NEW,), told_to_stop=True))
    assert (decision.create, decision.stop_dags) == (("a:1",), True)


def test_a_stronger_reason_replaces_a_weaker_one() -> None:
    facts = RunFacts(State.STOPPING, Reason.STOPPED, starts=(OPEN,), ended={"b:1": State.FAILED}, told_to_stop=True)
    decision = decide(facts)
    assert (decision.become, decision.reason, decision.stop_dags) == (State.STOPPING, Reason.FAILED, True)


def test_a_weaker_reason_changes_nothing() -> None:
    facts = RunFacts(State.STOPPING, Reason.FAILED, starts=(OPEN,), ended={"b:1": State.ABORTED}, told_to_stop=True)
    assert decide(facts).reason is Reason.FAILED


@pytest.mark.parametrize("reason", Reason)
def test_a_stopping_run_ends_with_its_reason_when_every_dag_run_is_final(reason: Reason) -> None:
    decision = decide(RunFacts(State.STOPPING, reason, starts=(OVER,), told_to_stop=True))
    assert (decision.become, decision.reason) == (State(reason), reason)


@pytest.mark.parametrize("state", [State.SUCCEEDED, State.STOPPED, State.ABORTED, State.FAILED])
def test_a_final_run_does_nothing(state: State) -> None:
    facts = RunFacts(state, starts=(NEW, OPEN), ended={"b:1": State.FAILED})
    assert decide(facts) == RunDecision()


def of_tasks(count: int, **facts: str) -> DagSpec:
    return DagSpec("a", tasks=tuple(TaskSpec(f"t{index}") for index in range(count)), **facts)


def test_dag_runs_begin_by_being_created_as_long_as_their_tasks_are_few_in_all() -> None:
    dags = {"a:1": of_tasks(TASKS_AT_ONCE - 1), "a:2": of_tasks(2), "a:3": of_tasks(1), "a:4": of_tasks(1)}
    assert begin_at_once(dags) == ("a:1", "a:3")


def test_a_dag_run_that_a_dag_runner_of_its_own_queue_moves_waits_for_that() -> None:
    assert begin_at_once({"a:1": of_tasks(1, queue="mine")}) == ()


def test_a_dag_run_without_tasks_has_nothing_to_begin_with() -> None:
    assert begin_at_once({"a:1": of_tasks(0)}) == ()
