"""What an attempt may end with, and what its task becomes then."""

import random
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from lightflow.core.states import TASK, State


class Ending(StrEnum):
    """How an attempt ended."""

    SUCCEEDED = "succeeded"
    STOPPED = "stopped"
    ABORTED = "aborted"
    ERROR = "error"  # raised, or exceeded its timeout
    DIED = "died"  # its process died, as its worker saw
    LOST = "lost"  # its worker's lease was lost
    RETURNED = "returned"  # handed back unfinished, by a worker that shuts down or may not start it
    KILLED = "killed"  # ended on purpose: stop --now


LONGEST_TEXT = 32_000
"""Characters that are kept of a message or a traceback."""


def _cut(text: str) -> str:
    if len(text) <= LONGEST_TEXT:
        return text
    half = LONGEST_TEXT // 2
    return f"{text[:half]}\n[{len(text) - 2 * half:,} characters left out]\n{text[-half:]}"


@dataclass(frozen=True, slots=True)
class ErrorInfo:
    """An error as the record keeps it: class name, message and traceback (may be empty)."""

    type: str
    message: str
    traceback: str = ""

    def to_json(self) -> dict[str, str]:
        """The error as the record keeps it: long texts lose their middle, because a document has an end."""
        return {"type": self.type, "message": _cut(self.message), "traceback": _cut(self.traceback)}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "ErrorInfo":
        return cls(data["type"], data["message"], data.get("traceback", ""))


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an attempt ended with. `limit` holds the names of the selected successors; None selects all."""

    ending: Ending
    error: ErrorInfo | None = None
    retryable: bool = True
    limit: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often and how late an attempt is repeated; times in seconds."""

    retries: int = 0
    delay: float = 0.0
    backoff: float = 1.0
    jitter: float = 0.0

    def delay_before(self, retry: int, chance: float) -> float:
        """Seconds before the `retry`-th retry, from 1; `chance` in [0, 1) adds that share of the jitter."""
        return self.delay * self.backoff ** (retry - 1) * (1.0 + self.jitter * chance)


@dataclass(frozen=True, slots=True)
class Counts:
    """How often attempts of a task ended otherwise than by their own will."""

    errors: int = 0
    deaths: int = 0
    losses: int = 0


@dataclass(frozen=True, slots=True)
class Bounds:
    """After how many deaths, and how many lost leases, a task fails."""

    deaths: int = 3
    losses: int = 10


@dataclass(frozen=True, slots=True)
class Settlement:
    """What becomes of a task after an attempt; `delay` in seconds where it is queued again."""

    state: State
    counts: Counts
    delay: float = 0.0
    error: ErrorInfo | None = None


@dataclass(frozen=True, slots=True)
class Rules:
    """What decides beside the outcome: the task's policy, the bounds, whether its DAG run is stopping, and a chance."""

    policy: RetryPolicy = field(default_factory=RetryPolicy)
    bounds: Bounds = field(default_factory=Bounds)
    stopping: bool = False
    chance: float = field(default_factory=random.random)


_PLAIN = {
    Ending.SUCCEEDED: State.SUCCEEDED,
    Ending.STOPPED: State.STOPPED,
    Ending.ABORTED: State.ABORTED,
    Ending.KILLED: State.STOPPED,
}


def settle(outcome: Outcome, counts: Counts, rules: Rules) -> Settlement:
    """The task's next state after an attempt with this outcome."""
    if outcome.ending in _PLAIN:
        state = _PLAIN[outcome.ending]
        settlement = Settlement(state, counts, error=outcome.error)
    elif outcome.ending is Ending.ERROR:
        settlement = _after_error(outcome, counts, rules)
    elif outcome.ending is Ending.DIED:
        settlement = _after_death(outcome, counts, rules)
    elif outcome.ending is Ending.LOST:
        settlement = _after_loss(outcome, counts, rules)
    else:
        settlement = Settlement(State.STOPPED if rules.stopping else State.QUEUED, counts)
    TASK.check(State.RUNNING, settlement.state)
    return settlement


def _after_error(outcome: Outcome, counts: Counts, rules: Rules) -> Settlement:
    counts = Counts(counts.errors + 1, counts.deaths, counts.losses)
    if outcome.retryable and not rules.stopping and counts.errors <= rules.policy.retries:
        delay = rules.policy.delay_before(counts.errors, rules.chance)
        return Settlement(State.QUEUED, counts, delay, outcome.error)
    return Settlement(State.FAILED, counts, error=outcome.error)


def _after_death(outcome: Outcome, counts: Counts, rules: Rules) -> Settlement:
    counts = Counts(counts.errors, counts.deaths + 1, counts.losses)
    if rules.stopping:
        return Settlement(State.STOPPED, counts, error=outcome.error)
    if counts.deaths < rules.bounds.deaths:
        return Settlement(State.QUEUED, counts, error=outcome.error)
    cause = outcome.error.message if outcome.error else "unknown cause"
    message = f"the task's process died {counts.deaths} times, the last time: {cause}"
    return Settlement(State.FAILED, counts, error=ErrorInfo("TaskDied", message))


def _after_loss(outcome: Outcome, counts: Counts, rules: Rules) -> Settlement:
    counts = Counts(counts.errors, counts.deaths, counts.losses + 1)
    if rules.stopping:
        return Settlement(State.STOPPED, counts, error=outcome.error)
    if counts.losses < rules.bounds.losses:
        return Settlement(State.QUEUED, counts)
    message = f"{counts.losses} workers were lost while they ran this task; look at what it does to its host"
    return Settlement(State.FAILED, counts, error=ErrorInfo("WorkerLost", message))
