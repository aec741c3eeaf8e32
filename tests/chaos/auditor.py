"""The auditor: what must hold of every run, whatever was done to the system. Pure: evidence in, findings out.

It trusts neither the engine nor its own memory of what the engine said: the record is held against the ledger that the
tasks wrote, and against what the same plans come to without faults.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

from tests.chaos.evidence import Evidence, Span
from tests.chaos.record import RunRecord, TaskRecord
from tests.chaos.watching import Key

from lightflow.core.states import FINAL

LOST, DOUBLED, STUCK = "lost", "doubled", "stuck"

OVER = ("succeeded", "stopped", "aborted", "error", "killed")
"""How an attempt ends that its task may end with; errors are repeated while there are retries."""

MISHAPS = ("died", "lost")
SLACK = 0.05
"""Seconds by which two processes may read one clock differently."""


@dataclass(frozen=True)
class Finding:
    """Something that must not be."""

    kind: str
    check: str
    about: str
    what: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.about}: {self.what} ({self.check})"


Check = Callable[[Evidence], Iterator[tuple[str, str, str]]]
"""Yields (kind, about, what)."""


def audit(evidence: Evidence) -> list[Finding]:
    """All findings of all checks."""
    return [Finding(kind, check.__name__, about, what) for check in CHECKS for kind, about, what in check(evidence)]


def every_accepted_run_is_final(evidence: Evidence) -> Iterator[tuple[str, str, str]]:
    for run, seed in evidence.accepted.items():
        record = evidence.runs.get(run)
        if record is None:
            yield LOST, run, f"the run of plan {seed} was accepted and is not in the record"
        elif record.state not in FINAL:
            yield STUCK, run, f"the run of plan {seed} is {record.state}"


def nothing_of_a_final_run_is_open(evidence: Evidence) -> Iterator[tuple[str, str, str]]:
    for run in _final(evidence):
        for dag, state in run.dags.items():
            if state not in FINAL:
                yield STUCK, f"{run.id} {dag}", f"it is {state} in a run that {run.state}"
        for task in run.tasks:
            if task.state not in FINAL:
                yield STUCK, task.id, f"it is {task.state} in a run that {run.state}"


def runs_end_as_without_faults(evidence: Evidence) -> Iterator[tuple[str, str, str]]:
    for run in _final(evidence):
        expected = evidence.expected_of(run)
        if run.state != expected.state:
            yield LOST, run.id, f"plan {run.seed} {run.state}, and {expected.state} without faults: {run.error}"
        missing = expected.dags.keys() - set(run.origins.values())
        if missing and not expected.plan.has_trouble:
            yield (
                LOST,
                run.id,
                f"of plan {run.seed}, DAG runs of these origins are missing: {sorted(map(str, missing))}",
            )


def tasks_end_as_without_faults(evidence: Evidence) -> Iterator[tuple[str, str, str]]:
    for run, task in _tasks(evidence):
        expected = evidence.expected_of(run)
        dag = expected.dags.get(run.origins[task.dag])
        if dag is None:
            if not expected.plan.has_trouble:
                yield LOST, task.id, "its DAG run is of an origin that there is not without faults"
            continue
        # In a run that stops, what else had begun by then is a matter of time.
        may_differ = expected.plan.has_trouble and "stopped" in (task.state, dag[task.name].state)
        if task.state != dag[task.name].state and not may_differ:
            yield LOST, task.id, f"it {task.state}, and {dag[task.name].state} without faults"


def results_are_those_without_faults(evidence: Evidence) -> Iterator[tuple[str, str, str]]:
    for run, task in _tasks(evidence):
        expected = evidence.expected_of(run)
        dag = expected.dags.get(run.origins[task.dag], {})
        wanted = dag[task.name].result if task.name in dag else None
        # In a run that stops, a task may be stopped that would have stopped by itself.
        one_is_stopped = expected.plan.has_trouble and task.state == "stopped" and None in (task.result, wanted)
        if task.name in dag and task.result != wanted and task.state == dag[task.name].state and not one_is_stopped:
            yield LOST, task.id, f"it handed on {task.result}, and {wanted} without faults"


def an_outcome_never_changes(evidence: Evidence) -> Iterator[tuple[str, str, str]]:
    for _, task in _tasks(evidence):
        now = (task.state, task.finished, len(task.attempts))
        outcomes = list(dict.fromkeys([*evidence.seen.get(task.id, ()), now]))
        if len(outcomes) > 1:
            yield DOUBLED, task.id, f"its outcome was {outcomes}"


def a_task_has_one_outcome(evidence: Evidence) -> Iterator[tuple[str, str, str]]:
    for run, task in _tasks(evidence):
        outcomes = [attempt.outcome for attempt in task.attempts]
        plan = evidence.expected_of(run).plan.dag(task.dag.partition(":")[0]).task(task.name)
        if None in outcomes:
            yield DOUBLED, task.id, f"it {task.state}, and an attempt has no outcome: {outcomes}"
        done = [outcome for outcome in outcomes[:-1] if outcome in OVER and outcome != "error"]
        if done:
            yield DOUBLED, task.id, f"it was tried again after it had {done[0]}: {outcomes}"
        if outcomes.count("error") > plan.retries + 1:
            yield DOUBLED, task.id, f"it has {plan.retries} retries and failed {outcomes.count('error')} times"


def an_attempt_begins_once(evidence: Evidence) -> Iterator[tuple[str, str, str]]:
    for key, spans in evidence.spans.items():
        for attempt, times in Counter(span.attempt for span in spans).items():
            if times > 1:
                yield DOUBLED, _name(key), f"attempt {attempt} began {times} times"


def the_ledger_knows_no_more_than_the_record(evidence: Evidence) -> Iterator[tuple[str, str, str]]:
    for key, spans in evidence.spans.items():
        if key[0] not in evidence.runs:
            continue
        task = evidence.tasks.get(key)
        count = len(task.attempts) if task else 0
        if task is None or spans[-1].attempt > count:
            yield DOUBLED, _name(key), f"attempt {spans[-1].attempt} began, and {count} are recorded"
        if task is not None and task.state == "skipped":
            yield DOUBLED, task.id, "it was skipped, and it ran"


def what_ended_had_run(evidence: Evidence) -> Iterator[tuple[str, str, str]]:
    for _, task in _tasks(evidence):
        spans = evidence.spans.get((task.run, task.dag, task.name), [])
        for number, attempt in enumerate(task.attempts, 1):
            told = any(span.attempt == number and span.ended for span in spans)
            if attempt.outcome in ("succeeded", "error", "aborted") and not told:
                yield (
                    LOST,
                    task.id,
                    f"attempt {number} is recorded as {attempt.outcome}, the ledger has no end of it",
                )


def attempts_do_not_overlap(evidence: Evidence) -> Iterator[tuple[str, str, str]]:
    for key, spans in evidence.spans.items():
        for one, other in pairwise(spans):
            if other.began < one.last - SLACK and not _excused(evidence, one, other):
                both = f"attempts {one.attempt} and {other.attempt}"
                yield DOUBLED, _name(key), f"{both} ran at once for {one.last - other.began:.2f} s"


def no_task_runs_before_its_predecessors(evidence: Evidence) -> Iterator[tuple[str, str, str]]:
    for run, task in _tasks(evidence):
        spans = evidence.spans.get((task.run, task.dag, task.name), [])
        plan = evidence.expected_of(run).plan.dag(task.dag.partition(":")[0]).task(task.name)
        for parent, _ in plan.parents if spans else ():
            before = evidence.tasks.get((task.run, task.dag, parent))
            if before is None or before.state in ("failed", "aborted"):
                yield DOUBLED, task.id, f"it ran although {parent} {before.state if before else 'is not there'}"
            elif before.state != "skipped" and not _ended_before(evidence, before, spans[0].began):
                yield DOUBLED, task.id, f"it began before {parent} had ended"


def attempts_are_explained(evidence: Evidence) -> Iterator[tuple[str, str, str]]:
    """No more deaths and losses than were injected: each of them happened while something was done that explains it."""
    for _, task in _tasks(evidence):
        for number, attempt in enumerate(task.attempts, 1):
            if attempt.outcome in MISHAPS and not _explained(evidence, attempt.outcome, attempt.ended):
                yield DOUBLED, task.id, f"attempt {number} {attempt.outcome}, and nothing was done that explains it"


def pushes_are_neither_lost_nor_doubled(evidence: Evidence) -> Iterator[tuple[str, str, str]]:
    for run in _final(evidence):
        counts = Counter(run.pushed)
        for item in [item for item, times in counts.items() if times > 1]:
            yield DOUBLED, f"{run.id} {item[0]}/{item[1]}", f"item {item[3]} of attempt {item[2]} was pushed twice"
        for dag, name, attempt, _ in counts:
            spans = evidence.spans.get((run.id, dag, name), ())
            if not any(span.attempt == attempt for span in spans):
                yield DOUBLED, f"{run.id} {dag}/{name}", f"something was pushed by attempt {attempt}, which never began"
        for task in run.tasks:
            if task.attempts and task.attempts[-1].outcome in ("succeeded", "stopped"):
                plan = evidence.expected_of(run).plan.dag(task.dag.partition(":")[0]).task(task.name)
                wanted = {(task.dag, task.name, len(task.attempts), number) for number in range(plan.pushes)}
                if missing := wanted - counts.keys():
                    yield LOST, task.id, f"{len(missing)} of the {plan.pushes} items that it pushed are not there"


def nothing_is_left(evidence: Evidence) -> Iterator[tuple[str, str, str]]:
    for left in evidence.left:
        yield STUCK, "afterwards", left


CHECKS: tuple[Check, ...] = (
    every_accepted_run_is_final,
    nothing_of_a_final_run_is_open,
    runs_end_as_without_faults,
    tasks_end_as_without_faults,
    results_are_those_without_faults,
    an_outcome_never_changes,
    a_task_has_one_outcome,
    an_attempt_begins_once,
    the_ledger_knows_no_more_than_the_record,
    what_ended_had_run,
    attempts_do_not_overlap,
    no_task_runs_before_its_predecessors,
    attempts_are_explained,
    pushes_are_neither_lost_nor_doubled,
    nothing_is_left,
)


def _final(evidence: Evidence) -> Iterator[RunRecord]:
    yield from (run for run in evidence.runs.values() if run.state in FINAL)


def _tasks(evidence: Evidence) -> Iterator[tuple[RunRecord, TaskRecord]]:
    """The final tasks of final runs."""
    for run in _final(evidence):
        yield from ((run, task) for task in run.tasks if task.state in FINAL)


def _ended_before(evidence: Evidence, task: TaskRecord, at: float) -> bool:
    """Whether the attempt whose outcome was committed had ended by then."""
    spans = evidence.spans.get((task.run, task.dag, task.name), ())
    return any(span.attempt == len(task.attempts) and span.last <= at + SLACK for span in spans)


def _explained(evidence: Evidence, outcome: str, at: float | None) -> bool:
    return at is not None and any(w.begins <= at <= w.ends and outcome in w.explains for w in evidence.windows)


def _excused(evidence: Evidence, one: Span, other: Span) -> bool:
    """Whether a pause that outlasts a lease lies where two attempts overlap."""
    return any(w.overlaps and w.begins <= one.last and other.began <= w.ends for w in evidence.windows)


def _name(key: Key) -> str:
    return f"{key[0]} {key[1]}/{key[2]}"
