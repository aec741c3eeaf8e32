"""What is known of a run while it goes, built from the messages that WatchRun sends."""

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

import click

from lightflow.cli.render.failures import error_line
from lightflow.cli.render.times import seconds_of, span

if TYPE_CHECKING:
    from lightflow.control.v1 import control_pb2 as pb

THROUGH = frozenset({"succeeded", "skipped", "stopped", "aborted", "failed"})


class TaskKey(NamedTuple):
    """Names a task in its run."""

    dag: str
    name: str


class Progress:
    """The tasks of a run, and what is to be told when one changes."""

    def __init__(self) -> None:
        self.run: pb.Run | None = None
        self.tasks: dict[TaskKey, pb.Task] = {}
        self._bearers: dict[str, set[str]] = {}

    def update(self, message: "pb.WatchRunResponse") -> list[str]:
        """Take in a message; the answer is a line for each task of which something is to be told."""
        self.run = message.run
        changed = [(dag.name, task) for dag in message.run.dags for task in dag.tasks]
        changed += [(task.dag, task) for task in message.changed]
        return [line for dag, task in changed if (line := self._take(TaskKey(dag, task.name), task))]

    def is_ambiguous(self, name: str) -> bool:
        """Whether tasks of several DAG runs have that name."""
        return len(self._bearers.get(name, ())) > 1

    def dags(self) -> dict[str, Counter[str]]:
        """For each DAG run, in the order of their appearance, how many tasks are in which state."""
        found: dict[str, Counter[str]] = {}
        for key, task in self.tasks.items():
            found.setdefault(key.dag, Counter())[task.state] += 1
        return found

    def running(self, dag: str) -> list[str]:
        """The names of the tasks of a DAG run that run now."""
        return [key.name for key, task in self.tasks.items() if key.dag == dag and task.state == "running"]

    @property
    def runs_something(self) -> bool:
        """Whether a task runs now."""
        return any(task.state == "running" for task in self.tasks.values())

    def _take(self, key: TaskKey, task: "pb.Task") -> str:
        before = self.tasks.get(key)
        self.tasks[key] = task
        self._bearers.setdefault(key.name, set()).add(key.dag)
        known = before is not None and (before.state, before.attempts) == (task.state, task.attempts)
        return "" if known else _told(f"{key.dag}/{key.name}" if self.is_ambiguous(key.name) else key.name, task)


def _told(label: str, task: "pb.Task") -> str:
    """What a person is told of a task's state; "" for waiting and queued ones, which are no news."""
    again = f" (attempt {task.attempts})" if task.attempts > 1 else ""
    if task.state == "running":
        return f"{label} started{again}"
    if task.state == "succeeded":
        return f"{label} {click.style('succeeded', fg='green')} after {span(seconds_of(task))}{again}"
    if task.state in ("failed", "aborted"):
        said = error_line(task.error).removeprefix(f"task {task.name!r}: ") if task.HasField("error") else ""
        return f"{label} {click.style(task.state, fg='red')}{f': {said}' if said else ''}{again}"
    if task.state in THROUGH:
        return f"{label} {task.state}"
    if task.state == "queued" and task.attempts:
        return f"{label} will be tried again (attempt {task.attempts + 1})"
    return ""
