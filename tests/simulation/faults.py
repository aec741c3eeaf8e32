"""Which faults strike, and where: drawn from a seed, or aimed at one step."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from random import Random


class Fault(StrEnum):
    """What may become of a write."""

    KILL_BEFORE = "kill before"
    KILL_AFTER = "kill after"
    LOST = "reply lost"
    REFUSED = "refused"
    LATE = "takes effect late"
    HALF = "breaks off half way"


KILLS = (Fault.KILL_BEFORE, Fault.KILL_AFTER)
"""What may become of a send, whose fate its sender never learns."""


@dataclass(frozen=True)
class Aim:
    """One fault at the nth time that a step is reached."""

    step: str
    fault: Fault
    nth: int = 1


@dataclass
class Faults:
    """How likely what is, for one schedule; times are seconds. `left` bounds the number of faults at writes."""

    random: Random
    at_writes: float = 0.0
    left: int = 0
    hint_loss: float = 0.0
    hint_doubling: float = 0.0
    redis_troubles: int = 0
    outages: int = 0
    pauses: int = 0
    terminations: int = 0
    latency: float = 0.002
    aim: Aim | None = None
    struck: Counter[Fault] = field(default_factory=Counter)
    reached: Counter[str] = field(default_factory=Counter)

    @classmethod
    def drawn(cls, random: Random) -> "Faults":
        """A mixture, from calm to wild."""
        wild = random.choice((0.0, 0.01, 0.03, 0.1))
        return cls(
            random,
            at_writes=wild,
            left=random.choice((1, 3, 8)),
            hint_loss=random.choice((0.0, 0.0, 0.2, 0.7)),
            hint_doubling=random.choice((0.0, 0.3)),
            redis_troubles=random.choice((0, 0, 1, 2)),
            outages=random.choice((0, 0, 1)),
            pauses=random.choice((0, 0, 0, 1)),
            terminations=random.choice((0, 0, 0, 1, 3)),
            latency=random.choice((0.001, 0.02, 0.2)),
        )

    def strike(self, step: str, among: Sequence[Fault] = tuple(Fault)) -> Fault | None:
        """The fault that strikes this step, if any."""
        self.reached[step] += 1
        fault = None
        if self.aim is not None and self.aim.step == step and self.aim.nth == self.reached[step]:
            fault = self.aim.fault
        elif self.left and self.random.random() < self.at_writes:
            fault = self.random.choice(among)
            self.left -= 1
        if fault is not None:
            self.struck[fault] += 1
        return fault
