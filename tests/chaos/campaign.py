"""A campaign: rounds of work and faults on one system, each followed by its audit."""

import pickle
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

from tests.chaos import record
from tests.chaos.auditor import Finding, audit
from tests.chaos.checks.kinds import STUCK
from tests.chaos.driving import Accepted, Driver
from tests.chaos.evidence import Evidence, Window
from tests.chaos.expected import Expected, expect, prepare
from tests.chaos.faults import FAULTS
from tests.chaos.faults.redis import RedisThrice
from tests.chaos.leftovers import leftovers, processes
from tests.chaos.report import Results
from tests.chaos.schedule import Strike, schedule
from tests.chaos.striking import Strikes, Struck
from tests.chaos.system import System, Times, planted, running
from tests.chaos.watching import Ledger, Outcomes, Stalls

from lightflow.core.states import FINAL


@dataclass(frozen=True)
class Options:
    """`duration` is for how long a round strikes, in seconds; `each` how often every fault strikes in it.

    redis is restarted `thrice` so often. A `calm` round waits for the recovery from a fault before the next one; only
    then can it be too late. A `bug` is planted in the services.
    """

    times: Times
    faults: Sequence[str]
    duration: float
    each: int
    thrice: int
    calm: bool
    largest: int
    at_once: int
    bug: str | None = None


def campaign(folder: Path, seeds: Iterator[int], options: Options) -> Iterator[tuple[int, Results]]:
    """What came of the round of each seed, on one system."""
    prepare(folder / "expected")
    with running(folder, options.times, dict(planted(options.bug)) if options.bug else {}) as system:
        ledger = Ledger(folder / "ledger")
        for seed in seeds:
            yield seed, _round(system, ledger, seed, options)
    left = [Finding(STUCK, "nothing_is_left", "afterwards", process) for process in processes(system.mark)]
    yield 0, Results(findings=left)


def strikes_of(seed: int, options: Options, skipped: dict[str, str]) -> list[Strike]:
    """The schedule of a round."""
    lanes: dict[str, list[str]] = {}
    for name in options.faults:
        if name not in skipped:
            lanes.setdefault("all" if options.calm else FAULTS[name].lane, []).append(name)
    return schedule(
        seed, options.duration, lanes, least=lambda name: options.thrice if name == RedisThrice.name else options.each
    )


def _round(system: System, ledger: Ledger, seed: int, options: Options) -> Results:
    before = len(ledger.lines())
    skipped = {name: why for name in options.faults if (why := FAULTS[name].why_not(system))}
    seeds = Random(f"{seed} workflows")
    plans = iter(lambda: seeds.randrange(1 << 30), None)
    with Outcomes(system.db) as outcomes, Stalls(system.pids) as stalls:
        driver = Driver(system, plans, options.largest, at_once=options.at_once)
        try:
            strikes = Strikes(system, ledger, strikes_of(seed, options, skipped), calm=options.calm)
            strikes.close()
            time.sleep(max(0.0, strikes.begun + options.duration - time.monotonic()))
        finally:
            driver.close()
    accepted = {each.run: each.seed for each in driver.accepted}
    records = record.collect(system, accepted)
    # While runs are under way it is no wonder that they have something.
    left = leftovers(system) if all(run.state in FINAL for run in records.values()) else []
    evidence = Evidence(
        accepted=accepted,
        runs=records,
        expected=_expected(system.folder / "expected", driver.accepted, options.largest),
        lines=ledger.lines()[before:],
        seen=outcomes.seen,
        windows=[*_windows(strikes.struck, system.times), *(_stall(*window) for window in stalls.windows)],
        left=[
            *left,
            *map(_refused, driver.refused),
            *map(_missed, strikes.missed),
            *_unrecovered(strikes.struck, system.times),
        ],
        stops={run: at for run, at in system.stops.items() if run in accepted},
    )
    with (system.folder / f"evidence-{seed}").open("wb") as file:
        pickle.dump(evidence, file)
    tasks = [task for run in records.values() for task in run.tasks]
    return Results(
        runs=len(accepted),
        tasks=len(tasks),
        attempts=Counter(str(attempt.outcome) for task in tasks for attempt in task.attempts),
        struck=strikes.struck,
        findings=audit(evidence),
        skipped=skipped,
        stalls=len(stalls.windows),
        late=list(_late(strikes.struck, stalls.windows)) if options.calm else [],
    )


def _expected(folder: Path, accepted: Sequence[Accepted], largest: int) -> dict[int, Expected]:
    return {each.seed: expect(folder, each.seed, largest) for each in accepted}


def _windows(struck: Sequence[Struck], times: Times) -> Iterator[Window]:
    """What a fault does may be recorded until a lease that it cost was missed, and the sweep came by."""
    after = times.lease_timeout + 4 * times.sweep_interval + 5.0
    for each in struck:
        fault = FAULTS[each.fault]
        yield Window(each.fault, each.at - 1.0, each.back + after, fault.explains, fault.overlaps)


def _stall(begins: float, ends: float) -> Window:
    return Window("stall", begins - 1.0, ends + 10.0, ("lost",), overlaps=True)


def _late(struck: Sequence[Struck], stalls: Sequence[tuple[float, float]]) -> Iterator[Struck]:
    """The faults from which recovery took longer than it may, although the machine had time for it."""
    for each in struck:
        bound = FAULTS[each.fault].bound
        stalled = any(begins < each.back + bound and each.at < ends for begins, ends in stalls)
        if each.recovered is not None and each.recovered > bound and not stalled:
            yield each


def _unrecovered(struck: Sequence[Struck], times: Times) -> Iterator[str]:
    for each in struck:
        if each.recovered is None:
            yield f"what was owed when {each.fault!r} struck {each.victim} was not done in {times.patience:g} s"


def _refused(said: str) -> str:
    return f"a start was refused: {said}"


def _missed(strike: Strike) -> str:
    return f"nobody was there to be struck by {strike.fault!r}"
