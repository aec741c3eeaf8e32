"""How a run that goes on is shown: on a terminal with a live picture at the bottom, else line by line."""

import os
import sys
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TextIO

import click

from lightflow.cli.render.progress import THROUGH, Progress

if TYPE_CHECKING:
    from rich.console import RenderableType

MOST_DAGS = 12
"""DAG runs in the live picture; those that are through give way first."""

MOST_NAMES = 6


class View(ABC):
    """Where the progress of a run is shown."""

    @abstractmethod
    def progress(self, lines: list[str]) -> None:
        """Show what changed."""

    @abstractmethod
    def say(self, text: str) -> None:
        """Show lines: what a task wrote, or what this program has to tell."""


class PlainView(View):
    """Lines only."""

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def progress(self, lines: list[str]) -> None:
        for line in lines:
            self.say(line)

    def say(self, text: str) -> None:
        click.echo(text, file=self._file)


class LiveView(View):
    """A picture of the DAG runs, redrawn in place; what tasks write scrolls by above it."""

    def __init__(self, live: Any) -> None:
        self._live = live

    def progress(self, lines: list[str]) -> None:
        pass  # the picture is redrawn from the progress itself, a few times a second

    def say(self, text: str) -> None:
        from rich.text import Text

        self._live.console.print(Text.from_ansi(text), soft_wrap=True)


@contextmanager
def view(progress: Progress, *, to_stderr: bool, color: bool | None) -> Iterator[View]:
    """The view that fits where it is shown."""
    file = sys.stderr if to_stderr else sys.stdout
    if not is_live(file):
        yield PlainView(file)
        return
    from rich.console import Console
    from rich.live import Live

    console = Console(file=file, no_color=color is False, highlight=False)
    with Live(console=console, get_renderable=lambda: picture(progress), transient=True) as live:
        yield LiveView(live)


def is_live(file: TextIO) -> bool:
    """Whether what is written there can be changed in place."""
    return file.isatty() and os.environ.get("TERM", "dumb") != "dumb"


def picture(progress: Progress) -> "RenderableType":
    """The live picture: for each DAG run how far it is, and which tasks run."""
    from rich.progress_bar import ProgressBar
    from rich.spinner import Spinner
    from rich.table import Table

    table = Table.grid(padding=(0, 1))
    counts = progress.dags()
    by_need = sorted(counts, key=lambda dag: all(state in THROUGH for state in counts[dag]))
    for dag in by_need[:MOST_DAGS]:
        done = sum(number for state, number in counts[dag].items() if state in THROUGH)
        total = counts[dag].total()
        bar = ProgressBar(total=total, completed=done, width=20)
        spinner: Any = Spinner("line") if done < total else ""
        table.add_row(spinner, dag, bar, f"{done}/{total}", _names(progress.running(dag)))
    if len(by_need) > MOST_DAGS:
        table.add_row("", f"and {len(by_need) - MOST_DAGS} more DAG runs")
    return table


def _names(names: list[str]) -> str:
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    return ", ".join(names[:MOST_NAMES]) + more
