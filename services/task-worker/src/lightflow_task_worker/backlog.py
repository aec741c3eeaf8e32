"""Whether there is anything to claim, and how much of it: for free slots, and while tasks are short, some ahead."""

from collections import deque
from collections.abc import Hashable
from dataclasses import dataclass, field

SHORT = 0.02
"""Seconds of work that are claimed ahead for each slot; none while an attempt has run for longer."""

MOST = 16
"""Attempts that are claimed ahead for each slot at the most."""

LATELY = 16
"""Attempts whose durations tell how long the next ones may take."""


@dataclass
class Backlog:
    """What this worker was told of attempts that it may claim. `is_closed` once it claims nothing more."""

    may_hold: bool = True
    is_closed: bool = False
    told: int = 0

    def hinted(self) -> None:
        """Somebody says that there is something."""
        self.told += 1
        self.may_hold = True

    def exhausted(self, told: int) -> None:
        """A question put when it had been `told` so often found no more."""
        if told == self.told:
            self.may_hold = False


@dataclass
class Pace:
    """How long attempts take in their slots; times are those of one clock, in seconds."""

    _began: dict[Hashable, float] = field(default_factory=dict)
    _lately: deque[float] = field(default_factory=lambda: deque(maxlen=LATELY))

    def begin(self, attempt: Hashable, now: float) -> None:
        """An attempt gets a slot."""
        self._began[attempt] = now

    def end(self, attempt: Hashable, now: float) -> None:
        """It leaves the slot."""
        self._lately.append(now - self._began.pop(attempt))

    def ahead(self, now: float) -> int:
        """How many attempts may be claimed ahead for each slot: none as long as one takes its time, or might."""
        if len(self._lately) < LATELY or any(now - began > SHORT for began in self._began.values()):
            return 0
        mean = sum(self._lately) / LATELY
        return min(MOST, int(SHORT / max(mean, 1e-6)))
