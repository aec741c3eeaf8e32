"""The auditor itself: evidence of a system that kept its word has no findings, and every breach is found."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from tests.chaos.auditor import CHECKS, audit
from tests.chaos.evidence import Evidence, Window
from tests.chaos.expected import Expected, ExpectedTask
from tests.chaos.flows.ledger import Line
from tests.chaos.flows.workload import DagPlan, Plan, TaskPlan
from tests.chaos.record import AttemptRecord, RunRecord, TaskRecord

from lightflow.core.states import State

RUN, SEED = "run", 7
PLAN = Plan(
    SEED,
    (
        DagPlan(
            "main",
            True,
            (
                TaskPlan("a", limit=("b",), pushes=1),
                TaskPlan("b", (("a", None),), failures=1, retries=1, pushes=2),
                TaskPlan("c", (("a", None),)),
            ),
        ),
    ),
)
TROUBLED = replace(PLAN, dags=(replace(PLAN.dags[0], tasks=(*PLAN.dags[0].tasks, TaskPlan("d", ending="fails"))),))
EXPECTED = Expected(
    PLAN,
    State.SUCCEEDED,
    {
        "main:1": {
            "a": ExpectedTask(State.SUCCEEDED, ("ra", "")),
            "b": ExpectedTask(State.SUCCEEDED, ("rb", "")),
            "c": ExpectedTask(State.SKIPPED, None),
        }
    },
)


def task(name: str, state: str, *outcomes: str | None, result: str | None = None) -> TaskRecord:
    """A task of the run, its attempts a second each, from second 10 on."""
    attempts = tuple(AttemptRecord(outcome, 10.0 + at, 11.0 + at) for at, outcome in enumerate(outcomes))
    given = None if result is None else (result, "")
    return TaskRecord(f"{RUN}:main:1/{name}", RUN, "main:1", name, state, attempts, given, "then")


def steps(name: str, attempt: int, began: float, ended: float | None, pid: int = 1) -> list[Line]:
    """What the ledger holds of an attempt."""
    at = (RUN, "main:1", name, attempt, pid)
    return [Line(*at, "start", began), *([] if ended is None else [Line(*at, "end", ended)])]


A, B, C = (
    task("a", "succeeded", "succeeded", result="ra"),
    task("b", "succeeded", "lost", "error", "succeeded", result="rb"),
    task("c", "skipped"),
)
PUSHED = (("main:1", "a", 1, 0), ("main:1", "b", 1, 0), ("main:1", "b", 3, 0), ("main:1", "b", 3, 1))
RECORD = RunRecord(RUN, SEED, "succeeded", {"main:1": "succeeded"}, {"main:1": "main:1"}, (A, B, C), PUSHED)
LINES = [
    *steps("a", 1, 8.0, 9.0),
    *steps("b", 1, 10.0, None, pid=2),
    *steps("b", 2, 11.0, 11.5, pid=3),
    *steps("b", 3, 12.0, 13.0, pid=3),
]
GOOD = Evidence(
    accepted={RUN: SEED},
    runs={RUN: RECORD},
    expected={SEED: EXPECTED},
    lines=LINES,
    seen={A.id: [("succeeded", "then", 1)]},
    windows=[Window("kill task-worker", 9.5, 12.0, explains=("lost",))],
)


def recorded(**changes: Any) -> Evidence:
    """The evidence with something else in the record of the run."""
    return replace(GOOD, runs={RUN: replace(RECORD, **changes)})


def told(*lines: Line) -> Evidence:
    """The evidence with more in the ledger."""
    return replace(GOOD, lines=[*LINES, *lines])


def with_tasks(*tasks: TaskRecord) -> Evidence:
    """The evidence with other records of these tasks."""
    others = {each.name: each for each in tasks}
    return recorded(tasks=tuple(others.get(each.name, each) for each in (A, B, C)))


FORGED: dict[str, tuple[str, Callable[[], Evidence]]] = {
    "an accepted run is not there": ("every_accepted_run_is_final", lambda: replace(GOOD, runs={})),
    "a run goes on for ever": ("every_accepted_run_is_final", lambda: recorded(state="running")),
    "a DAG run is left open": ("nothing_of_a_final_run_is_open", lambda: recorded(dags={"main:1": "running"})),
    "a task is left open": ("nothing_of_a_final_run_is_open", lambda: with_tasks(task("c", "waiting"))),
    "a run ends otherwise": ("runs_end_as_without_faults", lambda: recorded(state="failed")),
    "a DAG run was never started": ("runs_end_as_without_faults", lambda: recorded(origins={}, tasks=())),
    "a task ends otherwise": ("tasks_end_as_without_faults", lambda: with_tasks(replace(B, state="stopped"))),
    "a DAG run comes from nowhere": ("tasks_end_as_without_faults", lambda: recorded(origins={"main:1": "nowhere"})),
    "a result is another one": ("results_are_those_without_faults", lambda: with_tasks(replace(B, result=("?", "")))),
    "a result is gone": ("results_are_those_without_faults", lambda: with_tasks(replace(B, result=None))),
    "an outcome was another before": (
        "an_outcome_never_changes",
        lambda: replace(GOOD, seen={A.id: [("stopped", "then", 1), ("succeeded", "then", 1)]}),
    ),
    "an outcome was committed again later": (
        "an_outcome_never_changes",
        lambda: with_tasks(replace(A, finished="later")),
    ),
    "an attempt of a final task is open": (
        "a_task_has_one_outcome",
        lambda: with_tasks(task("b", "succeeded", None, "error", "succeeded", result="rb")),
    ),
    "a task that succeeded is tried again": (
        "a_task_has_one_outcome",
        lambda: with_tasks(task("b", "succeeded", "succeeded", "error", "succeeded", result="rb")),
    ),
    "a task fails more often than it may": (
        "a_task_has_one_outcome",
        lambda: with_tasks(task("b", "failed", "error", "error", "error")),
    ),
    "an attempt begins twice in two processes": ("an_attempt_begins_once", lambda: told(*steps("a", 1, 8.1, 8.9, 9))),
    "an attempt begins twice in one process": ("an_attempt_begins_once", lambda: told(*steps("a", 1, 20.0, 21.0))),
    "an attempt runs that nobody recorded": (
        "the_ledger_knows_no_more_than_the_record",
        lambda: told(*steps("b", 4, 20.0, 21.0)),
    ),
    "a skipped task runs": ("the_ledger_knows_no_more_than_the_record", lambda: told(*steps("c", 1, 20.0, 21.0))),
    "a task succeeds that never ran": ("what_ended_had_run", lambda: replace(GOOD, lines=LINES[2:])),
    "two attempts run at once": (
        "attempts_do_not_overlap",
        lambda: told(Line(RUN, "main:1", "b", 1, 2, "alive", 11.2)),
    ),
    "a task begins before its predecessor ended": (
        "no_task_runs_before_its_predecessors",
        lambda: replace(GOOD, lines=[*steps("a", 1, 8.0, 10.5), *LINES[2:]]),
    ),
    "a task runs below one that failed": (
        "no_task_runs_before_its_predecessors",
        lambda: with_tasks(replace(A, state="failed")),
    ),
    "an attempt is lost of itself": ("attempts_are_explained", lambda: replace(GOOD, windows=())),
    "an attempt dies of what kills none": (
        "attempts_are_explained",
        lambda: with_tasks(task("b", "succeeded", "died", "error", "succeeded", result="rb")),
    ),
    "an attempt is lost long after a fault": (
        "attempts_are_explained",
        lambda: replace(GOOD, windows=[Window("kill task-worker", 1.0, 3.0, ("lost",))]),
    ),
    "a push is done twice": ("pushes_are_neither_lost_nor_doubled", lambda: recorded(pushed=(*PUSHED, PUSHED[0]))),
    "a push is lost": ("pushes_are_neither_lost_nor_doubled", lambda: recorded(pushed=PUSHED[:-1])),
    "a push comes from an attempt that never began": (
        "pushes_are_neither_lost_nor_doubled",
        lambda: recorded(pushed=(*PUSHED, ("main:1", "b", 4, 0))),
    ),
    "a task begins although its run was stopped": (
        "nothing_begins_after_a_stop",
        lambda: replace(GOOD, stops={RUN: 5.0}),
    ),
    "a call starts two DAG runs": ("no_start_is_doubled", lambda: recorded(started=("main:1-a-1-0",) * 2)),
    "a lease has no worker": ("nothing_is_left", lambda: replace(GOOD, left=["a lease"])),
}


def test_evidence_of_a_system_that_kept_its_word_has_no_findings() -> None:
    assert audit(GOOD) == []


@pytest.mark.parametrize("breach", FORGED)
def test_a_breach_is_found(breach: str) -> None:
    check, forged = FORGED[breach]
    assert check in {finding.check for finding in audit(forged())}


def test_there_is_a_breach_for_every_check() -> None:
    assert {check for check, _ in FORGED.values()} == {check.__name__ for check in CHECKS}


def test_two_attempts_may_be_seen_at_once_where_a_pause_outlasts_a_lease() -> None:
    late = Line(RUN, "main:1", "b", 1, 2, "end", 11.2)
    pause = Window("long pause", 9.0, 12.0, ("lost",), overlaps=True)
    assert audit(replace(told(late), windows=[pause])) == []


def test_in_a_run_that_is_to_fail_tasks_may_have_been_stopped_before_they_began() -> None:
    dag = {**EXPECTED.dags["main:1"], "d": ExpectedTask(State.FAILED, None)}
    expected = replace(EXPECTED, plan=TROUBLED, state=State.FAILED, dags={"main:1": dag})
    tasks = (A, replace(task("b", "stopped"), attempts=()), C, task("d", "failed", "error"))
    record = replace(RECORD, state="failed", dags={"main:1": "failed"}, tasks=tasks, pushed=PUSHED[:1])
    lines = [*steps("a", 1, 8.0, 9.0), *steps("d", 1, 8.0, 9.0)]
    assert audit(replace(GOOD, runs={RUN: record}, expected={SEED: expected}, lines=lines)) == []


@pytest.mark.parametrize(("with_faults", "without"), [("rb", "ra"), ("ra", "rb")])
def test_a_task_that_was_stopped_early_hands_on_what_it_was_given(with_faults: str, without: str) -> None:
    dag = {**EXPECTED.dags["main:1"], "b": ExpectedTask(State.STOPPED, (without, ""))}
    expected = replace(EXPECTED, plan=TROUBLED, state=State.FAILED, dags={"main:1": dag})

    def found(result: str) -> set[str]:
        tasks = (A, task("b", "stopped", "stopped", result=result), C)
        forged = replace(GOOD, runs={RUN: replace(RECORD, tasks=tasks)}, expected={SEED: expected})
        return {finding.check for finding in audit(forged)}

    assert "results_are_those_without_faults" not in found(with_faults)
    assert ("results_are_those_without_faults" in found("another")) == (without != "ra")
