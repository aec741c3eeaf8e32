"""`python -m tests.simulation`: runs schedules, and replays one that failed."""

import argparse
import logging
import sys
import time
from collections import Counter

from tests.simulation import schedule


def main() -> None:
    """Run the schedules that were asked for; exit code 1 when one of them found something."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seed", type=int, default=0, help="the first seed (default 0)")
    parser.add_argument("--schedules", type=int, default=1000, help="how many schedules, each with the next seed")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="begin none after so many seconds")
    parser.add_argument("--trace", action="store_true", help="print all that happened")
    given = parser.parse_args()
    logging.getLogger().setLevel(logging.CRITICAL if not given.trace else logging.WARNING)
    logging.getLogger().addHandler(logging.NullHandler())
    began = time.monotonic()
    struck: Counter[str] = Counter()
    made = failed = 0
    for seed in range(given.seed, given.seed + given.schedules):
        if time.monotonic() - began > given.seconds:
            break
        report = schedule.run(seed)
        made += 1
        struck.update(report.faults.struck)
        if given.trace:
            print(*report.trace, sep="\n")
        if report.findings:
            failed += 1
            print(f"seed {seed}:", *dict.fromkeys(report.findings), sep="\n  ")
            print(f"  replay: PYTHONHASHSEED=0 python -m tests.simulation --schedules 1 --trace --seed {seed}")
    told = ", ".join(f"{fault} {count}" for fault, count in sorted(struck.items()))
    print(f"{made} schedules in {time.monotonic() - began:.1f} s, {failed} with findings; faults at writes: {told}")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
