"""Attempts: one outcome for each task, and none that begins twice, too early, beside another, or without a reason."""

from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from math import inf

from tests.chaos.checks.kinds import DOUBLED, LOST, SLACK, Breach, final_tasks, name_of, planned
from tests.chaos.evidence import Evidence, Span
from tests.chaos.record import TaskRecord

OVER = ("succeeded", "stopped", "aborted", "killed")
"""How an attempt ends after which its task is not tried again."""

MISHAPS = ("died", "lost")


def an_outcome_never_changes(evidence: Evidence) -> Iterator[Breach]:
    for _, task in final_tasks(evidence):
        now = (task.state, task.finished, len(task.attempts))
        outcomes = list(dict.fromkeys([*evidence.seen.get(task.id, ()), now]))
        if len(outcomes) > 1:
            yield DOUBLED, task.id, f"its outcome was {outcomes}"


def a_task_has_one_outcome(evidence: Evidence) -> Iterator[Breach]:
    for run, task in final_tasks(evidence):
        outcomes = [attempt.outcome for attempt in task.attempts]
        plan = planned(evidence, run, task)
        if None in outcomes:
            yield DOUBLED, task.id, f"it {task.state}, and an attempt has no outcome: {outcomes}"
        done = [outcome for outcome in outcomes[:-1] if outcome in OVER]
        if done:
            yield DOUBLED, task.id, f"it was tried again after it had {done[0]}: {outcomes}"
        if outcomes.count("error") > plan.retries + 1:
            yield DOUBLED, task.id, f"it has {plan.retries} retries and failed {outcomes.count('error')} times"


def an_attempt_begins_once(evidence: Evidence) -> Iterator[Breach]:
    for key, spans in evidence.spans.items():
        for attempt, times in Counter(span.attempt for span in spans).items():
            if times > 1:
                yield DOUBLED, name_of(key), f"attempt {attempt} began {times} times"


def the_ledger_knows_no_more_than_the_record(evidence: Evidence) -> Iterator[Breach]:
    for key, spans in evidence.spans.items():
        if key[0] not in evidence.runs:
            continue
        task = evidence.tasks.get(key)
        count = len(task.attempts) if task else 0
        if task is None or spans[-1].attempt > count:
            yield DOUBLED, name_of(key), f"attempt {spans[-1].attempt} began, and {count} are recorded"
        if task is not None and task.state == "skipped":
            yield DOUBLED, task.id, "it was skipped, and it ran"


def what_ended_had_run(evidence: Evidence) -> Iterator[Breach]:
    for _, task in final_tasks(evidence):
        spans = evidence.spans.get((task.run, task.dag, task.name), [])
        for number, attempt in enumerate(task.attempts, 1):
            told = any(span.attempt == number and span.ended for span in spans)
            if attempt.outcome in ("succeeded", "error", "aborted") and not told:
                yield (
                    LOST,
                    task.id,
                    f"attempt {number} is recorded as {attempt.outcome}, the ledger has no end of it",
                )


def attempts_do_not_overlap(evidence: Evidence) -> Iterator[Breach]:
    for key, spans in evidence.spans.items():
        for one, other in pairwise(spans):
            if other.began < one.last - SLACK and not _excused(evidence, one, other):
                both = f"attempts {one.attempt} and {other.attempt}"
                yield DOUBLED, name_of(key), f"{both} ran at once for {one.last - other.began:.2f} s"


def no_task_runs_before_its_predecessors(evidence: Evidence) -> Iterator[Breach]:
    for run, task in final_tasks(evidence):
        spans = evidence.spans.get((task.run, task.dag, task.name), [])
        plan = planned(evidence, run, task)
        for parent, _ in plan.parents if spans else ():
            before = evidence.tasks.get((task.run, task.dag, parent))
            if before is None or before.state in ("failed", "aborted"):
                yield DOUBLED, task.id, f"it ran although {parent} {before.state if before else 'is not there'}"
            elif before.state != "skipped" and not _ended_before(evidence, before, spans[0].began):
                yield DOUBLED, task.id, f"it began before {parent} had ended"


def nothing_begins_after_a_stop(evidence: Evidence) -> Iterator[Breach]:
    """What was claimed after a stop was answered cannot have been looked over before it."""
    for _, task in final_tasks(evidence):
        stopped = evidence.stops.get(task.run, inf)
        begun = {span.attempt for span in evidence.spans.get((task.run, task.dag, task.name), ())}
        for number, attempt in enumerate(task.attempts, 1):
            if number in begun and attempt.began > stopped:
                late = attempt.began - stopped
                yield DOUBLED, task.id, f"attempt {number} began, claimed {late:.2f} s after its run was stopped"


def attempts_are_explained(evidence: Evidence) -> Iterator[Breach]:
    """No more deaths and losses than were injected: each of them happened while something was done that explains it."""
    for _, task in final_tasks(evidence):
        for number, attempt in enumerate(task.attempts, 1):
            if attempt.outcome in MISHAPS and not _explained(evidence, attempt.outcome, attempt.ended):
                what = f"attempt {number} {attempt.outcome} ({attempt.error})"
                yield DOUBLED, task.id, f"{what}, and nothing was done that explains it"


def _ended_before(evidence: Evidence, task: TaskRecord, at: float) -> bool:
    """Whether the attempt whose outcome was committed had ended by then."""
    spans = evidence.spans.get((task.run, task.dag, task.name), ())
    return any(span.attempt == len(task.attempts) and span.last <= at + SLACK for span in spans)


def _explained(evidence: Evidence, outcome: str, at: float | None) -> bool:
    return at is not None and any(w.begins <= at <= w.ends and outcome in w.explains for w in evidence.windows)


def _excused(evidence: Evidence, one: Span, other: Span) -> bool:
    """Whether a pause that outlasts a lease lies where two attempts overlap."""
    return any(w.overlaps and w.begins <= one.last and other.began <= w.ends for w in evidence.windows)
