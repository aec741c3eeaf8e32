"""`python -m tests.chaos`: breaks a system in all known ways while it works, and audits what comes of it.

The short form (the default) takes about a minute and a half, with leases of two seconds; `--duration` makes rounds with
the real times until so much time is over.
"""

import argparse
import logging
import os
import secrets
import shlex
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path
from random import Random

from tests.chaos.campaign import Options, campaign
from tests.chaos.faults import FAULTS
from tests.chaos.planted import NOTHING, REVEALED_BY, form, plant_each, verdict
from tests.chaos.report import Results, lines, summary
from tests.chaos.system import REAL, SHORT

SHORT_FORM = Options(SHORT, tuple(FAULTS), duration=55.0, each=2, thrice=5, calm=False, largest=40, at_once=6)
LONG_FORM = Options(REAL, tuple(FAULTS), duration=240.0, each=1, thrice=10, calm=True, largest=300, at_once=4)
OWN_MOUNTS = "LIGHTFLOW_CHAOS_OWN_MOUNTS"


def main(arguments: list[str]) -> int:
    """Run rounds until the time is over or one has a finding; the exit code says whether one had."""
    given = _parse(arguments)
    if given.plant_each:
        return plant_each(given.seed)
    _take_own_mounts(arguments)
    options = LONG_FORM if given.duration or given.long else SHORT_FORM
    options = replace(options, faults=given.faults or options.faults)
    folder = Path(tempfile.mkdtemp(prefix="chaos-"))
    if given.plant:
        options = form(given.plant)
    logging.getLogger("lightflow").setLevel(logging.CRITICAL)  # the in-process runner tells of every planned failure
    print(f"replay: {_command(given.seed, given)}", flush=True)
    total, began = Results(), time.monotonic()
    for seed, results in campaign(folder, _seeds(given.seed, given.duration), options):
        _add(total, results)
        if results.runs:
            print(f"round {seed}: {summary(results)}", flush=True)
        if results.findings and not given.plant:
            print(f"replay: {_command(seed, given)}", flush=True)
            break
    if given.plant:
        right, told = verdict(given.plant, total)
        shutil.rmtree(folder)
        print(f"{told}, in {time.monotonic() - began:.0f} s")
        return 0 if right else 1
    print("\n".join(lines(total)))
    if total.findings:
        print(f"what is left of it is in {folder}")
        return 1
    shutil.rmtree(folder)
    return 2 if total.late else 0


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(1 << 30), help="of the first round")
    parser.add_argument("--duration", type=_seconds, help="the long form, for so many seconds, or 10m, or 2h")
    parser.add_argument("--long", action="store_true", help="one round of the long form")
    parser.add_argument("--plant", choices=(NOTHING, *REVEALED_BY), help="plant this bug; it must be found")
    parser.add_argument("--plant-each", action="store_true", help="plant one after the other")
    parser.add_argument("--faults", type=_faults, help=f"only these, with commas between them: {', '.join(FAULTS)}")
    return parser.parse_args(arguments)


def _seconds(text: str) -> float:
    return float(text.rstrip("smh")) * {"m": 60, "h": 3600}.get(text[-1:], 1)


def _faults(text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    if unknown := set(names) - FAULTS.keys():
        raise argparse.ArgumentTypeError(f"there is no fault {sorted(unknown)[0]!r}; there are {', '.join(FAULTS)}")
    return names


def _seeds(first: int, duration: float | None) -> Iterator[int]:
    """The first seed, and others for as long as there is time."""
    more, deadline = Random(first), time.monotonic() + (duration or 0.0)
    for number in count():
        if number and time.monotonic() >= deadline:
            return
        yield more.randrange(1 << 30) if number else first


def _add(total: Results, results: Results) -> None:
    total.runs += results.runs
    total.tasks += results.tasks
    total.attempts += results.attempts
    total.struck += results.struck
    total.findings += results.findings
    total.skipped |= results.skipped
    total.stalls += results.stalls
    total.late += results.late


def _command(seed: int, given: argparse.Namespace) -> str:
    faults = ["--faults", ",".join(given.faults)] if given.faults else []
    long = ["--long"] if given.duration or given.long else []
    return shlex.join([".venv/bin/python", "-m", "tests.chaos", "--seed", str(seed), *long, *faults])


def _take_own_mounts(arguments: list[str]) -> None:
    """Start anew in a mount namespace of our own, where that may be had: what is mounted there goes when we do."""
    unshare = shutil.which("unshare")
    if unshare and os.geteuid() == 0 and OWN_MOUNTS not in os.environ:
        os.environ[OWN_MOUNTS] = "1"
        os.execv(unshare, [unshare, "--mount", sys.executable, "-m", "tests.chaos", *arguments])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
