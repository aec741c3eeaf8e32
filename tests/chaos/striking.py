"""Carries out a schedule of faults, and measures how long it takes until what was owed at each is done."""

import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from random import Random

from pymongo.errors import PyMongoError
from tests.chaos.due import Owed, owed, phases
from tests.chaos.faults import FAULTS, Fault
from tests.chaos.faults.fault import Victim
from tests.chaos.schedule import Strike
from tests.chaos.system import System
from tests.chaos.watching import Ledger

LOOK = 0.1


@dataclass(frozen=True)
class Struck:
    """A fault that struck `at` a time and was over at `back`; `recovered` in seconds, None: never."""

    fault: str
    victim: str
    at: float
    back: float
    phases: tuple[str, ...]
    recovered: float | None
    owed: int


class Strikes:
    """Carries out strikes, each lane in a thread of its own, or all in one where `calm`."""

    def __init__(self, system: System, ledger: Ledger, strikes: Sequence[Strike], *, calm: bool) -> None:
        self._system, self._ledger, self._calm = system, ledger, calm
        self.struck: list[Struck] = []
        self.missed: list[Strike] = []
        self.begun = time.monotonic()
        lanes = [list(strikes)] if calm else list(_lanes(strikes).values())
        self._watching = ThreadPoolExecutor(16, "recovery")
        self._lanes = ThreadPoolExecutor(max(1, len(lanes)), "lane")
        self._work: list[Future[None]] = [self._lanes.submit(self._lane, lane) for lane in lanes]

    def close(self) -> None:
        """Wait for all of them and for the recovery from each; raises what went wrong."""
        self._lanes.shutdown()
        self._watching.shutdown()
        for work in self._work:
            work.result()
        self.struck.sort(key=lambda struck: struck.at)

    def _lane(self, strikes: list[Strike]) -> None:
        for strike in strikes:
            time.sleep(max(0.0, self.begun + strike.at - time.monotonic()))
            self._strike(strike)

    def _strike(self, strike: Strike) -> None:
        fault, random = FAULTS[strike.fault], Random(strike.seed)
        deadline = time.monotonic() + fault.victim_within
        while (victim := self._victim(fault, random, deadline)) is not None:
            before, seen = self._before(victim)
            at = time.time()
            with suppress(ProcessLookupError):  # it has just ended by itself: another one is chosen
                fault.begin(self._system, victim)
                break
        else:
            self.missed.append(strike)
            return
        over = threading.Event()
        watching = self._watching.submit(self._recovery, fault, victim, before, at, over)
        time.sleep(fault.lasts(self._system.times))
        fault.end(self._system, victim)
        back = time.time()
        over.set()

        def done(recovery: "Future[float | None]") -> None:
            self.struck.append(Struck(strike.fault, victim.name, at, back, seen, recovery.result(), len(before)))

        watching.add_done_callback(done)
        if self._calm:
            watching.result()

    def _victim(self, fault: Fault, random: Random, deadline: float) -> Victim | None:
        while time.monotonic() < deadline:
            with suppress(PyMongoError):
                if (victim := fault.choose(self._system, self._ledger, random)) is not None:
                    return victim
            time.sleep(LOOK)
        return None

    def _before(self, victim: Victim) -> tuple[Owed, tuple[str, ...]]:
        """What is owed just before a strike, and what the system is doing."""
        try:
            before = owed(self._system.db, victim.holders)
            return before, phases(self._system.db, before)
        except PyMongoError:
            return frozenset(), ("mongod away",)

    def _recovery(self, fault: Fault, victim: Victim, before: Owed, at: float, over: threading.Event) -> float | None:
        """Seconds until what was owed is done, and the task that was struck runs again."""
        if fault.from_end:
            over.wait()
            at = time.time()
        deadline = time.monotonic() + self._system.times.patience
        while time.monotonic() < deadline:
            with suppress(PyMongoError):
                if self._is_done(victim, before, at):
                    return max(0.0, time.time() - at)
            time.sleep(LOOK)
        return None

    def _is_done(self, victim: Victim, before: Owed, at: float) -> bool:
        if victim.task is not None:
            run, dag, task = victim.task
            where = {"run": run, "dag": dag, "task": task, "state": {"$in": ["queued", "running"]}}
            again = self._ledger.started_after(victim.task, at)
            return again or self._system.db["task_runs"].find_one(where, {"_id": 1}) is None
        return not owed(self._system.db, victim.holders) & before


def _lanes(strikes: Sequence[Strike]) -> dict[str, list[Strike]]:
    lanes: dict[str, list[Strike]] = {}
    for strike in strikes:
        lanes.setdefault(strike.lane, []).append(strike)
    return lanes
