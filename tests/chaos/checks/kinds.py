"""The kinds of breaches, and what the checks share."""

from collections.abc import Callable, Iterator

from tests.chaos.evidence import Evidence
from tests.chaos.flows.workload import TaskPlan
from tests.chaos.record import RunRecord, TaskRecord
from tests.chaos.watching import Key

from lightflow.core.states import FINAL

LOST, DOUBLED, STUCK = "lost", "doubled", "stuck"

Breach = tuple[str, str, str]
"""(kind, about, what)"""

Check = Callable[[Evidence], Iterator[Breach]]

SLACK = 0.05
"""Seconds by which two processes may read one clock differently."""


def final_runs(evidence: Evidence) -> Iterator[RunRecord]:
    """The runs that have ended."""
    yield from (run for run in evidence.runs.values() if run.state in FINAL)


def final_tasks(evidence: Evidence) -> Iterator[tuple[RunRecord, TaskRecord]]:
    """The final tasks of final runs."""
    for run in final_runs(evidence):
        yield from ((run, task) for task in run.tasks if task.state in FINAL)


def may_stop(evidence: Evidence, run: RunRecord) -> bool:
    """Whether what begins in a run is a matter of time, because something or somebody stops it."""
    return run.id in evidence.stops or evidence.expected_of(run).plan.has_trouble


def planned(evidence: Evidence, run: RunRecord, task: TaskRecord) -> TaskPlan:
    """What a task was to do."""
    return evidence.expected_of(run).plan.dag(task.dag.partition(":")[0]).task(task.name)


def name_of(key: Key) -> str:
    """A task, as findings call it."""
    return f"{key[0]} {key[1]}/{key[2]}"
