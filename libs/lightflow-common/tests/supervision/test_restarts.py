from hypothesis import given
from hypothesis import strategies as st

from lightflow.runtime.supervision.restarts import (
    FORGIVEN_AFTER,
    LONGEST_DELAY,
    START_ATTEMPTS,
    deaths_after,
    delay_after,
    gives_up,
)


def test_the_first_restart_is_immediate() -> None:
    assert delay_after(deaths_after(0, lived=5.0)) == 0.0


def test_each_further_restart_waits_longer() -> None:
    assert [delay_after(deaths) for deaths in range(1, 8)] == [0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 10.0]


@given(st.integers(min_value=0, max_value=10**9))
def test_no_restart_waits_longer_than_the_longest_delay(deaths: int) -> None:
    assert 0.0 <= delay_after(deaths) <= LONGEST_DELAY


def test_a_long_life_forgives_earlier_deaths() -> None:
    assert deaths_after(7, lived=FORGIVEN_AFTER) == 1
    assert deaths_after(7, lived=FORGIVEN_AFTER - 1) == 8


def test_a_process_that_never_came_up_is_given_up() -> None:
    assert not gives_up(START_ATTEMPTS - 1, was_ready=False)
    assert gives_up(START_ATTEMPTS, was_ready=False)


def test_a_process_that_has_served_is_never_given_up() -> None:
    assert not gives_up(1000, was_ready=True)
