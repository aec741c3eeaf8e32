"""`python -m tests.simulation`: runs schedules, and replays one that failed."""

import argparse
import contextlib
import itertools
import logging
import sys
import time
from collections import Counter
from collections.abc import Iterator

from tests.simulation import aiming, schedule
from tests.simulation.faults import Aim, Fault
from tests.simulation.planted import BUGS, planted

AIMED_AT = 80
"""Of so many schedules one is taken for each fault at each step."""


def main() -> None:
    """Run the schedules that were asked for; exit code 1 when one of them found something."""
    given = _arguments()
    logging.getLogger().setLevel(logging.WARNING if given.trace else logging.CRITICAL)
    logging.getLogger().addHandler(logging.NullHandler())
    if given.plant_each:
        sys.exit(_plant_each(given))
    began = time.monotonic()
    struck: Counter[str] = Counter()
    made = failed = 0
    with planted(given.plant) if given.plant else contextlib.nullcontext():
        for seed, aim in _schedules(given):
            if time.monotonic() - began > given.seconds or failed >= given.enough:
                break
            report = schedule.run(seed, aim=aim)
            made += 1
            struck.update(report.faults.struck)
            if given.trace:
                print(*report.trace, sep="\n")
            findings = report.findings
            if aim is not None and report.faults.reached[aim.step] < aim.nth:
                findings = [*findings, f"{aim.step} was not reached {aim.nth} times"]
            if findings:
                failed += 1
                _tell(seed, aim, given.plant, findings)
    told = ", ".join(f"{fault} {count}" for fault, count in sorted(struck.items()))
    print(f"{made} schedules in {time.monotonic() - began:.1f} s, {failed} with findings; faults at steps: {told}")
    sys.exit(1 if failed else 0)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seed", type=int, default=0, help="the first seed (default 0)")
    parser.add_argument("--schedules", type=int, default=1000, help="how many schedules, each with the next seed")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="begin none after so many seconds")
    parser.add_argument("--enough", type=int, default=sys.maxsize, help="stop after so many with findings")
    parser.add_argument("--trace", action="store_true", help="print all that happened")
    parser.add_argument("--plant", choices=sorted(BUGS), help="plant this bug")
    parser.add_argument("--plant-each", action="store_true", help="plant each bug, until a schedule finds it")
    parser.add_argument("--aim", metavar="STEP/FAULT/N", help="one fault more: at the nth time this step is reached")
    parser.add_argument("--every-step", action="store_true", help="aim every fault at every step of the product")
    return parser.parse_args()


def _plant_each(given: argparse.Namespace) -> int:
    """How many of the planted bugs no schedule finds: random ones, and then those with a fault aimed at each step."""
    missed = 0
    for bug in BUGS:
        with planted(bug):
            seeds = range(given.seed, given.seed + given.schedules)
            schedules = itertools.chain(((seed, None) for seed in seeds), aiming.every_step(seeds[:AIMED_AT]))
            for made, (seed, aim) in enumerate(schedules, 1):
                if findings := schedule.run(seed, aim=aim).findings:
                    print(f"{bug}: found by schedule {made}: {findings[0]}")
                    break
            else:
                missed += 1
                print(f"{bug}: not found by {made} schedules")
    return missed


def _schedules(given: argparse.Namespace) -> Iterator[tuple[int, Aim | None]]:
    if given.every_step:
        yield from aiming.every_step(range(given.seed, given.seed + given.schedules))
        return
    aim = None
    if given.aim:
        step, fault, nth = given.aim.split("/")
        aim = Aim(step, Fault(fault), int(nth))
    for seed in range(given.seed, given.seed + given.schedules):
        yield seed, aim


def _tell(seed: int, aim: Aim | None, bug: str | None, findings: list[str]) -> None:
    aimed = f" --aim '{aim.step}/{aim.fault}/{aim.nth}'" if aim else ""
    more = aimed + (f" --plant {bug}" if bug else "")
    print(f"seed {seed}{more}:", *dict.fromkeys(findings), sep="\n  ")
    print(f"  replay: PYTHONHASHSEED=0 python -m tests.simulation --schedules 1 --trace --seed {seed}{more}")


if __name__ == "__main__":
    main()
