"""Runs and their tasks as text."""

import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

import click

from lightflow.cli.render.columns import clean, columns, state
from lightflow.cli.render.documents import run_document
from lightflow.cli.render.times import local, seconds_of, since, span, time_of
from lightflow.runtime.sources import as_given

if TYPE_CHECKING:
    from lightflow.control.v1 import control_pb2 as pb

MOST_TASKS = 60
"""A closing summary with more tasks than this shows those that did not succeed, and counts the others."""

_FRAME = re.compile(r'^\s*File "(?P<file>.+)", line (?P<line>\d+), in (?P<function>.+)$')
_OURS = re.compile(r"[/\\](lightflow_task_worker|lightflow[/\\](models|tasks|runtime|local|core))[/\\]")
_LIBRARIES = re.compile(r"[/\\](site-packages|dist-packages|lib[/\\]python3[^/\\]*)[/\\]|^<")


def runs_table(runs: Sequence["pb.Run"], now: datetime) -> str:
    """A line for each run."""
    if not runs:
        return "No runs."
    rows = [
        (
            run.run_id,
            run.workflow,
            state(run.state),
            local(time_of(run, "started_at") or time_of(run, "created_at")),
            span(since(run, now)),
            error_line(run.error) if run.HasField("error") else "",
        )
        for run in runs
    ]
    return columns(("RUN", "WORKFLOW", "STATE", "STARTED", "DURATION", "ERROR"), rows)


def run_details(run: "pb.Run", now: datetime) -> str:
    """Everything of a run: what it is, its tasks by DAG run and what they wait for, its error."""
    parts = [_heading(run, now), *(_dag(dag, dag.tasks, now) for dag in run.dags)]
    if run.HasField("error"):
        parts.append(error_text(run.error))
    return "\n\n".join(parts)


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


def error_line(error: "pb.Error") -> str:
    """An error in one line."""
    said = clean(error.message.strip())
    place = f"task {error.task!r}: " if error.task else ""
    return place + (f"{error.type}: {said}" if said else error.type)


def error_text(error: "pb.Error") -> str:
    """An error, the task at fault, and the line of the user's code that raised it."""
    where = f" in task {error.task!r} of {error.dag}" if error.task else ""
    said = f"{error.type}: {error.message.strip()}" if error.message.strip() else error.type
    text = click.style(f"Error{where}: ", fg="red") + said
    frame = user_line(error.traceback)
    return f"{text}\n  {frame}" if frame else text


def user_line(traceback: str) -> str:
    """The last line of a traceback that lies in the user's own code, else in a library: `file:line in function: code`.

    "" where there is no such line: what Lightflow itself says of a task has no place in the user's code.
    """
    lines = traceback.splitlines()
    frames = [(match, index) for index, line in enumerate(lines) if (match := _FRAME.match(line))]
    found = [entry for entry in frames if not _OURS.search(entry[0]["file"])]
    if not found:
        return ""
    own = [entry for entry in found if not _LIBRARIES.search(entry[0]["file"])]
    match, index = (own or found)[-1]
    code = lines[index + 1].strip() if index + 1 < len(lines) and lines[index + 1].startswith("    ") else ""
    place = f"{as_given(match['file'])}:{match['line']} in {match['function']}"
    return f"{place}: {code}" if code else place


def _heading(run: "pb.Run", now: datetime) -> str:
    facts = [
        ("workflow", run.workflow),
        ("version", run.version[:12]),
        ("state", state(run.state) + (f" ({run.reason})" if run.state == "stopping" and run.reason else "")),
        ("started", local(time_of(run, "started_at"))),
        ("finished", local(time_of(run, "finished_at"))),
        ("duration", span(since(run, now))),
        ("arguments", arguments_text(run)),
    ]
    lines = (f"  {name:<10}{value}" for name, value in facts if value)
    return "\n".join([click.style(f"Run {run.run_id}", bold=True), *lines])


def arguments_text(run: "pb.Run") -> str:
    """The arguments as they could be typed."""
    return " ".join(f"{name}={value}" for name, value in run_document(run)["arguments"].items())


def _dag(dag: "pb.DagRun", tasks: Iterable["pb.Task"], now: datetime) -> str:
    head = f"{click.style(dag.name, bold=True)}  {state(dag.state)}"
    rows = [_row(task, now) for task in tasks]
    return f"{head}\n{columns(_TITLES, rows, indent='  ')}" if rows else head


_TITLES = ("TASK", "STATE", "ATTEMPTS", "DURATION", "WORKER", "")


def _row(task: "pb.Task", now: datetime) -> tuple[str, ...]:
    note = f"waits for {task.waits_for}" if task.waits_for else ""
    if task.HasField("error"):
        note = error_line(task.error).removeprefix(f"task {task.name!r}: ")
    attempts = str(task.attempts) if task.attempts else ""
    return (task.name, state(task.state), attempts, span(since(task, now)), task.worker, note)


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
