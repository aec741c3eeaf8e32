"""When a process that died is started again: at once the first time, then after delays that grow."""

FIRST_DELAY = 0.5
LONGEST_DELAY = 10.0
# A process that has lived this long, in seconds, is as good as new.
FORGIVEN_AFTER = 60.0
# Deaths before it was ever ready after which a start is given up.
START_ATTEMPTS = 3


def deaths_after(deaths: int, lived: float) -> int:
    """How many deaths count now, after a life of that many seconds; `deaths` counted before it."""
    return 1 if lived >= FORGIVEN_AFTER else deaths + 1


def delay_after(deaths: int) -> float:
    """The delay before the next life, in seconds."""
    return 0.0 if deaths <= 1 else float(min(FIRST_DELAY * 2 ** min(deaths - 2, 10), LONGEST_DELAY))


def gives_up(deaths: int, was_ready: bool) -> bool:
    """Whether a process will not be tried again: one that has served once is tried for ever."""
    return not was_ready and deaths >= START_ATTEMPTS
