"""When a worker's lease is lost, told from nothing but its counter and the observer's own clock."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(slots=True)
class _Seen:
    beat: int
    since: float


class LeaseWatch:
    """Observes the counters of all workers. Times are seconds of one monotonic clock; no two clocks are compared.

    A lease is lost when its counter stood still through `timeout` seconds of uninterrupted observation. A gap between
    two observations longer than `gap` interrupts: the observer itself may have been paused or cut off.
    """

    def __init__(self, timeout: float, gap: float) -> None:
        self._timeout = timeout
        self._gap = gap
        self._seen: dict[str, _Seen] = {}
        self._last: float | None = None

    def observe(self, beats: Mapping[str, int], now: float) -> frozenset[str]:
        """The workers among `beats` whose lease is lost."""
        if self._last is None or now - self._last > self._gap:
            self._seen.clear()
        self._last = now
        self._seen = {worker: self._look(worker, beat, now) for worker, beat in beats.items()}
        return frozenset(worker for worker, seen in self._seen.items() if now - seen.since >= self._timeout)

    def silence(self, worker: str, now: float) -> float:
        """For how many seconds the counter of a worker is known to have stood still."""
        seen = self._seen.get(worker)
        return 0.0 if seen is None else now - seen.since

    def interrupt(self) -> None:
        """An observation failed: what was seen before it proves nothing."""
        self._last = None

    def _look(self, worker: str, beat: int, now: float) -> _Seen:
        seen = self._seen.get(worker)
        return seen if seen is not None and seen.beat == beat else _Seen(beat, now)
