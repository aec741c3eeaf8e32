from lightflow_task_worker.backlog import LATELY, MOST, SHORT, Backlog, Pace


def paced(*durations: float) -> Pace:
    pace = Pace()
    for duration in durations:
        pace.begin("one", 0.0)
        pace.end("one", duration)
    return pace


def test_nothing_is_claimed_ahead_before_enough_attempts_were_seen() -> None:
    assert paced(*[0.001] * (LATELY - 1)).ahead(1.0) == 0


def test_as_much_is_claimed_ahead_as_takes_a_moment() -> None:
    assert paced(*[SHORT / 4] * LATELY).ahead(1.0) == 4


def test_never_more_than_a_few_are_claimed_ahead() -> None:
    assert paced(*[0.0] * LATELY).ahead(1.0) == MOST


def test_one_long_attempt_among_the_last_ones_is_enough_to_claim_nothing_ahead() -> None:
    assert paced(1.0, *[0.001] * (LATELY - 1)).ahead(1.0) == 0
    assert paced(1.0, *[SHORT / 2] * LATELY).ahead(1.0) == 2


def test_nothing_is_claimed_ahead_while_an_attempt_takes_its_time() -> None:
    pace = paced(*[0.001] * LATELY)
    pace.begin("long", 1.0)
    assert pace.ahead(1.0 + SHORT / 2) > 0
    assert pace.ahead(1.0 + 2 * SHORT) == 0
    pace.end("long", 2.0)
    assert pace.ahead(2.0) == 0


def test_a_question_that_found_no_more_settles_the_matter_unless_something_was_told_meanwhile() -> None:
    backlog = Backlog()
    told = backlog.told
    backlog.hinted()
    backlog.exhausted(told)
    assert backlog.may_hold
    backlog.exhausted(backlog.told)
    assert not backlog.may_hold
    backlog.hinted()
    assert backlog.may_hold
