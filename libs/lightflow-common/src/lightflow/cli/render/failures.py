"""Errors of runs and tasks as text."""

import re
from typing import TYPE_CHECKING

import click

from lightflow.cli.render.columns import clean
from lightflow.runtime.sources import as_given

if TYPE_CHECKING:
    from lightflow.control.v1 import control_pb2 as pb

_FRAME = re.compile(r'^\s*File "(?P<file>.+)", line (?P<line>\d+), in (?P<function>.+)$')
_OURS = re.compile(r"[/\\](lightflow_task_worker|lightflow[/\\](models|tasks|runtime|local|core))[/\\]")
_LIBRARIES = re.compile(r"[/\\](site-packages|dist-packages|lib[/\\]python3[^/\\]*)[/\\]|^<")


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
