"""Samples of both sides, and what they say."""

from dataclasses import dataclass, field
from statistics import median
from typing import Any

from tests.benchmarks.works import Work


@dataclass
class Result:
    """The samples of one work."""

    work: Work
    ours: list[float] = field(default_factory=list)
    celery: list[float] = field(default_factory=list)

    @property
    def ratio(self) -> float | None:
        """Our median to Celery's."""
        return median(self.ours) / median(self.celery) if self.celery else None

    def verdict(self, target: float | None) -> str:
        """Whether a target is met."""
        if target is None:
            return ""
        figure = self.ratio if self.work.of_celery else median(self.ours)
        assert figure is not None, f"{self.work.name} has a target against Celery and no figure of it"
        met = figure >= target if self.work.more_is_better else figure <= target
        return "met" if met else "missed"

    def to_json(self) -> dict[str, Any]:
        """All of it, for machines."""
        return {
            "name": self.work.name,
            "unit": self.work.unit,
            "ours": self.ours,
            "celery": self.celery,
            "ratio": self.ratio,
            "first_target": self.work.first,
            "goal": self.work.goal,
            "targets_are_ratios": self.work.of_celery,
        }


def spread(samples: list[float]) -> str:
    """Median, and smallest to largest."""
    if not samples:
        return ""
    return f"{_short(median(samples))} ({_short(min(samples))}-{_short(max(samples))})"


def _short(value: float) -> str:
    return f"{value:.3g}" if value < 100 else f"{value:.0f}"
