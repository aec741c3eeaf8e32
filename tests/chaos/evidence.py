"""What the auditor judges: plain values, so that every check can be shown a forged one that it must find."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from tests.chaos.expected import Expected
from tests.chaos.flows.ledger import Line
from tests.chaos.record import RunRecord, TaskRecord
from tests.chaos.watching import Key, Outcome


@dataclass(frozen=True)
class Window:
    """A time in which something was done to the system: endings of attempts that it explains, and whether overlaps."""

    what: str
    begins: float
    ends: float
    explains: tuple[str, ...] = ()
    overlaps: bool = False


@dataclass(frozen=True)
class Span:
    """What the ledger tells of one attempt: its first and last step. `ended` is False where it broke off."""

    attempt: int
    pid: int
    began: float
    last: float
    ended: bool


@dataclass(frozen=True)
class Evidence:
    """`accepted` are seeds by run, `seen` the outcomes of each task in the order in which they were first seen, and
    `stops` when a stop of a run was answered.
    """

    accepted: Mapping[str, int]
    runs: Mapping[str, RunRecord]
    expected: Mapping[int, Expected]
    lines: Sequence[Line]
    seen: Mapping[str, Sequence[Outcome]] = field(default_factory=dict)
    windows: Sequence[Window] = ()
    left: Sequence[str] = ()
    stops: Mapping[str, float] = field(default_factory=dict)

    @cached_property
    def spans(self) -> dict[Key, list[Span]]:
        """The attempts of each task that began, oldest first; one that began twice is there twice."""
        steps: dict[tuple[Key, int, int], list[Line]] = {}
        for line in self.lines:
            steps.setdefault(((line.run, line.dag, line.task), line.attempt, line.pid), []).append(line)
        found: dict[Key, list[Span]] = {}
        for (task, attempt, pid), lines in steps.items():
            for own in _lives(lines):
                span = Span(attempt, pid, own[0].at, own[-1].at, own[-1].what == "end")
                found.setdefault(task, []).append(span)
        return {task: sorted(spans, key=lambda span: span.began) for task, spans in found.items()}

    @cached_property
    def tasks(self) -> dict[Key, TaskRecord]:
        """The record of each task."""
        return {(task.run, task.dag, task.name): task for run in self.runs.values() for task in run.tasks}

    def expected_of(self, run: RunRecord) -> Expected:
        """What must come of a run."""
        return self.expected[run.seed]


def _lives(lines: Sequence[Line]) -> list[list[Line]]:
    """The lines of one process about one attempt, apart for each time that it began."""
    lives: list[list[Line]] = []
    for line in lines:
        if line.what == "start" or not lives:
            lives.append([])
        lives[-1].append(line)
    return lives
