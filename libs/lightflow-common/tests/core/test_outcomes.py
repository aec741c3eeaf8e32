"""How a task may end, one test per row: what an attempt's ending makes of its task."""

import pytest

from lightflow.core.outcomes import (
    Bounds,
    Counts,
    Ending,
    ErrorInfo,
    Outcome,
    RetryPolicy,
    Rules,
    Settlement,
    settle,
)
from lightflow.core.states import State

BOOM = ErrorInfo("ValueError", "boom", "Traceback ...")
FAILING = Outcome(Ending.ERROR, BOOM)
CRASH = Outcome(Ending.DIED, ErrorInfo("TaskDied", "killed by SIGKILL"))


def rules(retries: int = 0, *, stopping: bool = False, chance: float = 0.0, **delays: float) -> Rules:
    return Rules(RetryPolicy(retries, **delays), Bounds(), stopping, chance)


@pytest.mark.parametrize("limit", [None, (), ("next",)], ids=["all", "none", "some"])
@pytest.mark.parametrize("stopping", [False, True])
def test_a_task_that_returns_succeeded(limit: tuple[str, ...] | None, stopping: bool) -> None:
    settled = settle(Outcome(Ending.SUCCEEDED, limit=limit), Counts(), rules(stopping=stopping))
    assert settled == Settlement(State.SUCCEEDED, Counts())


def test_a_task_that_raises_stop_task_is_stopped() -> None:
    assert settle(Outcome(Ending.STOPPED, limit=()), Counts(), rules(3)).state is State.STOPPED


def test_a_task_that_raises_abort_workflow_is_aborted_and_keeps_its_message() -> None:
    settled = settle(Outcome(Ending.ABORTED, ErrorInfo("AbortWorkflow", "enough")), Counts(), rules(3))
    assert settled.state is State.ABORTED
    assert settled.error == ErrorInfo("AbortWorkflow", "enough")


def test_a_task_that_fails_with_attempts_left_goes_back_to_the_queue() -> None:
    settled = settle(FAILING, Counts(), rules(1))
    assert settled.state is State.QUEUED
    assert settled.counts == Counts(errors=1)


def test_a_task_that_fails_without_attempts_left_failed_and_keeps_the_error() -> None:
    assert settle(FAILING, Counts(), rules(0)) == Settlement(State.FAILED, Counts(errors=1), error=BOOM)


@pytest.mark.parametrize("retries", [0, 1, 2, 5])
def test_a_task_is_tried_once_more_than_it_has_retries(retries: int) -> None:
    counts, attempts, state = Counts(), 0, State.QUEUED
    while state is State.QUEUED:
        settled = settle(FAILING, counts, rules(retries))
        counts, state, attempts = settled.counts, settled.state, attempts + 1
    assert state is State.FAILED
    assert attempts == retries + 1


def test_an_error_that_may_not_be_retried_fails_the_task_whatever_attempts_are_left() -> None:
    assert settle(Outcome(Ending.ERROR, BOOM, retryable=False), Counts(), rules(9)).state is State.FAILED


def test_a_retry_without_a_delay_is_due_at_once() -> None:
    assert settle(FAILING, Counts(), rules(1)).delay == 0


def test_each_retry_waits_longer_by_the_backoff() -> None:
    delays = [settle(FAILING, Counts(errors=n), rules(4, delay=2.0, backoff=3.0)).delay for n in range(4)]
    assert delays == [2.0, 6.0, 18.0, 54.0]


@pytest.mark.parametrize(("chance", "delay"), [(0.0, 10.0), (0.5, 12.5), (0.999, 14.995)])
def test_jitter_adds_up_to_its_share_of_the_delay(chance: float, delay: float) -> None:
    settled = settle(FAILING, Counts(), rules(1, delay=10.0, jitter=0.5, chance=chance))
    assert settled.delay == pytest.approx(delay)


def test_the_chance_of_jitter_is_drawn_where_none_is_given() -> None:
    assert 0 <= Rules().chance < 1


def test_a_task_whose_process_dies_is_tried_again_without_using_a_retry() -> None:
    settled = settle(CRASH, Counts(), rules(0))
    assert (settled.state, settled.counts) == (State.QUEUED, Counts(deaths=1))


def test_the_third_death_fails_a_task_and_the_error_says_so() -> None:
    assert settle(CRASH, Counts(deaths=1), rules()).state is State.QUEUED
    settled = settle(CRASH, Counts(deaths=2), rules())
    assert settled.state is State.FAILED
    assert settled.error is not None
    assert "3 times" in settled.error.message
    assert "killed by SIGKILL" in settled.error.message


def test_deaths_and_errors_are_counted_apart() -> None:
    assert settle(FAILING, Counts(deaths=2), rules(1)).state is State.QUEUED
    assert settle(CRASH, Counts(errors=9), rules(9)).state is State.QUEUED


def test_a_lost_lease_counts_apart_up_to_ten() -> None:
    lost = Outcome(Ending.LOST)
    assert settle(lost, Counts(deaths=2, losses=8), rules()) == Settlement(State.QUEUED, Counts(deaths=2, losses=9))
    settled = settle(lost, Counts(losses=9), rules())
    assert settled.state is State.FAILED
    assert settled.error is not None
    assert "10 workers" in settled.error.message


def test_the_bounds_are_settings() -> None:
    bounded = Rules(bounds=Bounds(deaths=1, losses=1))
    assert settle(CRASH, Counts(), bounded).state is State.FAILED
    assert settle(Outcome(Ending.LOST), Counts(), bounded).state is State.FAILED


def test_an_attempt_that_is_handed_back_counts_nowhere() -> None:
    counts = Counts(1, 2, 9)
    assert settle(Outcome(Ending.RETURNED), counts, rules()) == Settlement(State.QUEUED, counts)


def test_an_attempt_that_is_killed_on_purpose_leaves_its_task_stopped() -> None:
    assert settle(Outcome(Ending.KILLED), Counts(), rules(3, stopping=True)).state is State.STOPPED


@pytest.mark.parametrize("outcome", [CRASH, Outcome(Ending.LOST), Outcome(Ending.RETURNED)], ids=lambda o: o.ending)
def test_while_stopping_an_attempt_that_ended_without_a_result_leaves_its_task_stopped(outcome: Outcome) -> None:
    assert settle(outcome, Counts(), rules(3, stopping=True)).state is State.STOPPED


def test_while_stopping_a_failing_attempt_fails_its_task() -> None:
    settled = settle(FAILING, Counts(), rules(3, stopping=True))
    assert (settled.state, settled.error) == (State.FAILED, BOOM)


def test_while_stopping_the_third_death_leaves_a_task_stopped() -> None:
    assert settle(CRASH, Counts(deaths=2), rules(stopping=True)).state is State.STOPPED


@pytest.mark.parametrize("ending", Ending)
@pytest.mark.parametrize("stopping", [False, True])
def test_every_ending_settles_in_a_state_that_a_running_task_may_take(ending: Ending, stopping: bool) -> None:
    settled = settle(Outcome(ending), Counts(2, 2, 9), rules(9, stopping=stopping))
    if stopping:
        assert settled.state is not State.QUEUED


def test_an_error_survives_being_written_down() -> None:
    assert ErrorInfo.from_json(BOOM.to_json()) == BOOM
    assert ErrorInfo.from_json({"type": "E", "message": "m"}) == ErrorInfo("E", "m")
