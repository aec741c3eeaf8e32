"""Runs and tasks end, and as they would without faults."""

from collections import Counter
from collections.abc import Iterator

from tests.chaos.checks.kinds import DOUBLED, LOST, STUCK, Breach, final_runs, final_tasks, may_stop, planned
from tests.chaos.evidence import Evidence

from lightflow.core.states import FINAL


def every_accepted_run_is_final(evidence: Evidence) -> Iterator[Breach]:
    for run, seed in evidence.accepted.items():
        record = evidence.runs.get(run)
        if record is None:
            yield LOST, run, f"the run of plan {seed} was accepted and is not in the record"
        elif record.state not in FINAL:
            yield STUCK, run, f"the run of plan {seed} is {record.state}"


def nothing_of_a_final_run_is_open(evidence: Evidence) -> Iterator[Breach]:
    for run in final_runs(evidence):
        for dag, state in run.dags.items():
            if state not in FINAL:
                yield STUCK, f"{run.id} {dag}", f"it is {state} in a run that {run.state}"
        for task in run.tasks:
            if task.state not in FINAL:
                yield STUCK, task.id, f"it is {task.state} in a run that {run.state}"


def runs_end_as_without_faults(evidence: Evidence) -> Iterator[Breach]:
    for run in final_runs(evidence):
        expected = evidence.expected_of(run)
        if run.state != expected.state and run.id not in evidence.stops:
            yield LOST, run.id, f"plan {run.seed} {run.state}, and {expected.state} without faults: {run.error}"
        missing = expected.dags.keys() - set(run.origins.values())
        if missing and not may_stop(evidence, run):
            yield (
                LOST,
                run.id,
                f"of plan {run.seed}, DAG runs of these origins are missing: {sorted(map(str, missing))}",
            )


def tasks_end_as_without_faults(evidence: Evidence) -> Iterator[Breach]:
    for run, task in final_tasks(evidence):
        expected = evidence.expected_of(run)
        dag = expected.dags.get(run.origins[task.dag])
        if dag is None:
            if not may_stop(evidence, run):
                yield LOST, task.id, "its DAG run is of an origin that there is not without faults"
            continue
        # In a run that stops, what else had begun by then is a matter of time.
        may_differ = may_stop(evidence, run) and "stopped" in (task.state, dag[task.name].state)
        # What fails while somebody stops its run is not tried again.
        may_differ |= run.id in evidence.stops and task.state == "failed"
        if task.state != dag[task.name].state and not may_differ:
            yield LOST, task.id, f"it {task.state}, and {dag[task.name].state} without faults"


def results_are_those_without_faults(evidence: Evidence) -> Iterator[Breach]:
    for run, task in final_tasks(evidence):
        expected = evidence.expected_of(run)
        dag = expected.dags.get(run.origins[task.dag], {})
        wanted = dag[task.name].result if task.name in dag else None
        if task.name not in dag or task.result == wanted or task.state != dag[task.name].state:
            continue
        # In a run that stops, a task may be stopped that would have stopped by itself: it hands on what it was given.
        given = {None, *(dag[parent].result for parent, _ in planned(evidence, run, task).parents)}
        one_is_stopped = may_stop(evidence, run) and task.state == "stopped" and {task.result, wanted} & given
        if not one_is_stopped:
            yield LOST, task.id, f"it handed on {task.result}, and {wanted} without faults"


def pushes_are_neither_lost_nor_doubled(evidence: Evidence) -> Iterator[Breach]:
    for run in final_runs(evidence):
        counts = Counter(run.pushed)
        for item in [item for item, times in counts.items() if times > 1]:
            yield DOUBLED, f"{run.id} {item[0]}/{item[1]}", f"item {item[3]} of attempt {item[2]} was pushed twice"
        for dag, name, attempt, _ in counts:
            spans = evidence.spans.get((run.id, dag, name), ())
            if not any(span.attempt == attempt for span in spans):
                yield DOUBLED, f"{run.id} {dag}/{name}", f"something was pushed by attempt {attempt}, which never began"
        for task in run.tasks:
            if task.attempts and task.attempts[-1].outcome in ("succeeded", "stopped"):
                plan = planned(evidence, run, task)
                wanted = {(task.dag, task.name, len(task.attempts), number) for number in range(plan.pushes)}
                if missing := wanted - counts.keys():
                    yield LOST, task.id, f"{len(missing)} of the {plan.pushes} items that it pushed are not there"


def no_start_is_doubled(evidence: Evidence) -> Iterator[Breach]:
    for run in final_runs(evidence):
        for key, times in Counter(run.started).items():
            if times > 1:
                yield DOUBLED, run.id, f"one call started {times} DAG runs: {key}"


def nothing_is_left(evidence: Evidence) -> Iterator[Breach]:
    for left in evidence.left:
        yield STUCK, "afterwards", left
