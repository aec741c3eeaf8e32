"""Runs and their tasks as text."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

import click

from lightflow.cli.render.columns import columns, state
from lightflow.cli.render.documents import run_document
from lightflow.cli.render.failures import error_line, error_text
from lightflow.cli.render.times import local, seconds_of, since, span, time_of

if TYPE_CHECKING:
    from lightflow.control.v1 import control_pb2 as pb

MOST_TASKS = 60
"""A closing summary with more tasks than this shows those that did not succeed, and counts the others."""


def runs_table(runs: Sequence["pb.Run"], now: datetime, none: str = "No runs.") -> str:
    """A line for each run, or what to say where there is none."""
    if not runs:
        return none
    rows = [
        (
            run.run_id,
            run.workflow,
            state(run.state),
            local(time_of(run, "started_at") or time_of(run, "created_at")),
            span(since(run, now)),
            error_line(run.error) if run.HasField("error") else _waits(run),
        )
        for run in runs
    ]
    return columns(("RUN", "WORKFLOW", "STATE", "STARTED", "DURATION", ""), rows)


def run_details(run: "pb.Run", now: datetime) -> str:
    """Everything of a run: what it is, its tasks by DAG run and what they wait for, its error."""
    parts = [_heading(run, now), *(_dag(dag, dag.tasks, now) for dag in run.dags)]
    if run.HasField("error"):
        parts.append(error_text(run.error))
    return "\n\n".join(parts)


def counted(runs: Sequence["pb.Run"]) -> str:
    """How many runs, and of which workflows: what a question is about."""
    if len(runs) == 1:
        return f"run {runs[0].run_id} of {runs[0].workflow}"
    names = list(dict.fromkeys(run.workflow for run in runs))
    return f"{len(runs)} runs of {', '.join(names[:5])}{', ...' if len(names) > 5 else ''}"


def waiting_lines(run: "pb.Run") -> list[str]:
    """What of a run does not go on, and what for: the run, DAG runs, tasks."""
    found = [f"The run {_waits(run)}"] if run.waits_for else []
    found += [f"{dag.name} {_waits(dag)}" for dag in run.dags if dag.waits_for]
    tasks = [task for dag in run.dags for task in dag.tasks if task.waits_for]
    return found + [f"{task.dag}/{task.name} {_waits(task)}" for task in tasks]


def summary(run: "pb.Run", now: datetime) -> str:
    """What a person wants to know when a run has ended: each task, the error, and one line about the whole."""
    many = sum(len(dag.tasks) for dag in run.dags) > MOST_TASKS
    parts = [_summary_of(dag, now, many) for dag in run.dags]
    if run.HasField("error"):
        parts.append(error_text(run.error))
    return "\n\n".join([*parts, closing_line(run)])


def closing_line(run: "pb.Run") -> str:
    """How a run ended, in one line."""
    taken = f" after {span(seconds_of(run))}" if run.HasField("duration") else ""
    return f"Run {run.run_id} of {run.workflow} {_ended(run.state)}{taken}."


def _heading(run: "pb.Run", now: datetime) -> str:
    facts = [
        ("workflow", run.workflow),
        ("version", run.version[:12]),
        ("state", state(run.state) + (f" ({run.reason})" if run.state == "stopping" and run.reason else "")),
        ("", _waits(run)),
        ("started", local(time_of(run, "started_at"))),
        ("finished", local(time_of(run, "finished_at"))),
        ("duration", span(since(run, now))),
        ("arguments", arguments_text(run)),
    ]
    lines = (f"  {name:<10}{value}" for name, value in facts if value)
    return "\n".join([click.style(f"Run {run.run_id}", bold=True), *lines])


def arguments_text(run: "pb.Run") -> str:
    """The arguments as they could be typed."""
    arguments = run_document(run)["arguments"]
    return " ".join(f"{name}={arguments[name]}" for name in sorted(arguments))  # a map has no order on the wire


def _dag(dag: "pb.DagRun", tasks: Iterable["pb.Task"], now: datetime) -> str:
    head = f"{click.style(dag.name, bold=True)}  {state(dag.state)}  {_waits(dag)}".rstrip()
    rows = [_row(task, now) for task in tasks]
    return f"{head}\n{columns(_TITLES, rows, indent='  ')}" if rows else head


_TITLES = ("TASK", "STATE", "ATTEMPTS", "DURATION", "WORKER", "")


def _row(task: "pb.Task", now: datetime) -> tuple[str, ...]:
    note = _waits(task)
    if task.HasField("error"):
        note = error_line(task.error).removeprefix(f"task {task.name!r}: ")
    attempts = str(task.attempts) if task.attempts else ""
    return (task.name, state(task.state), attempts, span(since(task, now)), task.worker, note)


def _waits(what: "pb.Run | pb.DagRun | pb.Task") -> str:
    return click.style(f"waits for {what.waits_for}", fg="yellow") if what.waits_for else ""


def _summary_of(dag: "pb.DagRun", now: datetime, many: bool) -> str:
    if not many:
        return _dag(dag, dag.tasks, now)
    remarkable = [task for task in dag.tasks if task.state != "succeeded"]
    shown = remarkable[:MOST_TASKS]
    lines = [_dag(dag, shown, now)]
    if len(remarkable) > len(shown):
        lines.append(f"  and {len(remarkable) - len(shown)} more that did not succeed")
    return "\n".join([*lines, f"  {len(dag.tasks) - len(remarkable)} of {len(dag.tasks)} tasks succeeded"])


def _ended(word: str) -> str:
    verbs = {"succeeded": "succeeded", "failed": "failed", "aborted": "was aborted", "stopped": "was stopped"}
    colors = {"succeeded": "green", "failed": "red", "aborted": "magenta", "stopped": "yellow"}
    return click.style(verbs.get(word, f"is {word}"), fg=colors.get(word))
