"""What a campaign has shown, as text."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil

from tests.chaos.auditor import Finding
from tests.chaos.checks.kinds import DOUBLED, LOST, STUCK
from tests.chaos.due import PHASES
from tests.chaos.faults import FAULTS
from tests.chaos.striking import Struck

SHOWN = 10
"""Findings of one check that are told."""


@dataclass
class Results:
    """What came of rounds; `skipped` says why a kind of fault was not tried.

    `late` are the faults from which recovery took longer than it may, although the machine had time for it.
    """

    runs: int = 0
    tasks: int = 0
    attempts: Counter[str] = field(default_factory=Counter)
    struck: list[Struck] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)
    stalls: int = 0
    late: list[Struck] = field(default_factory=list)


def summary(results: Results) -> str:
    """The one line."""
    kinds = Counter(finding.kind for finding in results.findings)
    counts = " ".join(f"{kind} {kinds[kind]}" for kind in (LOST, DOUBLED, STUCK))
    return f"runs {results.runs} faults {len(results.struck)} {counts}"


def lines(results: Results) -> Iterator[str]:
    """All there is to tell."""
    yield from _table(_phases(results.struck))
    yield ""
    yield from _table(_recoveries(results))
    yield from (f"{name}: skipped, {why}" for name, why in results.skipped.items())
    yield ""
    mishaps = ", ".join(f"{count} {outcome}" for outcome, count in sorted(results.attempts.items()))
    yield f"{results.tasks} tasks; attempts: {mishaps}; the machine stalled {results.stalls} times"
    for check in dict.fromkeys(finding.check for finding in results.findings):
        found = [finding for finding in results.findings if finding.check == check]
        yield from map(str, found[:SHOWN])
        yield from [f"and {len(found) - SHOWN} more"] if len(found) > SHOWN else []
    yield summary(results)


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that so large a share of them does not exceed."""
    return sorted(values)[max(0, ceil(share * len(values)) - 1)]


def _phases(struck: Sequence[Struck]) -> Iterator[list[str]]:
    phases = [*PHASES, *sorted({phase for each in struck for phase in each.phases} - {*PHASES})]
    yield ["struck in phase", "times", *phases]
    for name, own in _by_fault(struck).items():
        counts = Counter(phase for each in own for phase in each.phases)
        yield [name, str(len(own)), *(str(counts[phase] or "") for phase in phases)]


def _recoveries(results: Results) -> Iterator[list[str]]:
    late = {each.fault for each in results.late}
    yield ["recovery, s", "p50", "p99", "max", "bound", ""]
    for name, own in _by_fault(results.struck).items():
        times = [float("inf") if each.recovered is None else each.recovered for each in own]
        figures = [f"{value:.1f}" for value in (percentile(times, 0.5), percentile(times, 0.99), max(times))]
        bound = FAULTS[name].bound
        yield [name, *figures, f"{bound:g}", "LATE" if name in late else ""]


def _by_fault(struck: Sequence[Struck]) -> Mapping[str, list[Struck]]:
    found = {name: [each for each in struck if each.fault == name] for name in FAULTS}
    return {name: own for name, own in found.items() if own}


def _table(rows: Iterator[list[str]]) -> Iterator[str]:
    table = list(rows)
    widths = [max(len(row[column]) for row in table) for column in range(len(table[0]))]
    for first, *rest in table:
        cells = (cell.rjust(width) for cell, width in zip(rest, widths[1:], strict=True))
        yield "  ".join((first.ljust(widths[0]), *cells)).rstrip()
