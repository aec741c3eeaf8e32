"""The auditor: what must hold of every run, whatever was done to the system. Pure: evidence in, findings out.

It trusts neither the engine nor its own memory of what the engine said: the record is held against the ledger that the
tasks wrote, and against what the same plans come to without faults.
"""

from dataclasses import dataclass

from tests.chaos.checks import attempts, ends
from tests.chaos.checks.kinds import Check
from tests.chaos.evidence import Evidence

CHECKS: tuple[Check, ...] = (
    ends.every_accepted_run_is_final,
    ends.nothing_of_a_final_run_is_open,
    ends.runs_end_as_without_faults,
    ends.tasks_end_as_without_faults,
    ends.results_are_those_without_faults,
    attempts.an_outcome_never_changes,
    attempts.a_task_has_one_outcome,
    attempts.an_attempt_begins_once,
    attempts.the_ledger_knows_no_more_than_the_record,
    attempts.what_ended_had_run,
    attempts.attempts_do_not_overlap,
    attempts.no_task_runs_before_its_predecessors,
    attempts.nothing_begins_after_a_stop,
    attempts.attempts_are_explained,
    ends.pushes_are_neither_lost_nor_doubled,
    ends.no_start_is_doubled,
    ends.nothing_is_left,
)


@dataclass(frozen=True)
class Finding:
    """Something that must not be."""

    kind: str
    check: str
    about: str
    what: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.about}: {self.what} ({self.check})"


def audit(evidence: Evidence) -> list[Finding]:
    """All findings of all checks."""
    return [Finding(kind, check.__name__, about, what) for check in CHECKS for kind, about, what in check(evidence)]
