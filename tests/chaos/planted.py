"""The bugs of the simulation, planted in real processes: by which faults each shows, and whether it was found."""

import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace

from tests.chaos.campaign import Options
from tests.chaos.checks.kinds import STUCK
from tests.chaos.report import Results, summary
from tests.chaos.system import SHORT

NOTHING = "nothing"
"""Planted for comparison: the same rounds find nothing then."""

REVEALED_BY: Mapping[str, tuple[str, ...]] = {
    "claim_what_others_hold": (),
    "end_without_mark": (),
    "keep_data": (),
    "lose_every_lease": (),
    # Twice as often as others: only the death after a DAG run's first move shows it.
    "advance_before_children_exist": ("killed after a move",) * 2,
    "commit_without_fence": ("outcome too late",),
    "forget_blind_claims": ("reply of a claim lost",),
    "ignore_stops": ("stop while dag-runners hang",),
    "no_sweep": ("host of task-worker lost",),
    "push_twice": ("reply of a push lost",),
    "start_dags_twice": ("reply of a start lost",),
}
"""Bugs that a round of so few faults finds; some need none at all."""

HIDDEN: Mapping[str, str] = {
    "begin_before_children_exist": "a look that broke off is made again, and creates what is missing; in between "
    "somebody would have to look at the DAG run, to which nothing hints; the simulation has a rule for it",
    "begin_too_early": "the write that it has to overtake takes a few milliseconds, and a task as many to begin; the "
    "simulation's mongod takes as long as it likes",
    "queue_nothing_after_clearing_marks": "both writes go to mongod in one command: only its death between the two, a "
    "matter of microseconds, would show that they changed places; the simulation's mongod dies there",
}
"""Bugs that do not show in real processes, and why."""

FORM = Options(replace(SHORT, patience=15.0), (), duration=10.0, each=4, thrice=0, calm=False, largest=20, at_once=3)


def form(bug: str) -> Options:
    """The round that is to find a bug; that with nothing planted has all of their faults, once."""
    if bug == NOTHING:
        return replace(FORM, faults=sorted({fault for faults in REVEALED_BY.values() for fault in faults}), each=1)
    return replace(FORM, faults=REVEALED_BY[bug], bug=bug)


def verdict(bug: str, results: Results) -> tuple[bool, str]:
    """Whether what was found is what had to be found, and what there is to tell of it."""
    found = sorted(results.findings, key=lambda finding: finding.kind == STUCK)
    told = f"{summary(results)}: {found[0]}" if found else summary(results)
    return bool(found) == (bug != NOTHING), f"{bug}: {'found' if found else 'nothing found'}, {told}"


def plant_each(seed: int) -> int:
    """Plant one after the other, each in a system of its own; the exit code says whether all was as it had to be."""
    command = (sys.executable, "-m", "tests.chaos", "--seed", str(seed), "--plant")
    wrong = [bug for bug in (NOTHING, *REVEALED_BY) if subprocess.run([*command, bug], check=False).returncode]
    for bug, why in HIDDEN.items():
        print(f"{bug}: not planted, {why}")
    print(f"{len(REVEALED_BY)} bugs planted, not as it had to be: {', '.join(wrong) or 'none'}")
    return 1 if wrong else 0
