"""`lightflow monitor`."""

import math
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

import click

from lightflow.cli.live import is_live
from lightflow.cli.session import Session, pass_session

if TYPE_CHECKING:
    from datetime import datetime

    from lightflow.cli.streams import Happened
    from lightflow.runtime.rpc.client import ControlClient

AWAY = "The system does not answer; this goes on as soon as it does."


@click.command("monitor")
@click.option("-d", "--details", is_flag=True, help="Show queue, worker and process too.")
@pass_session
def command(session: Session, details: bool) -> None:
    """Show what happens to runs, DAGs and tasks as it happens, until Ctrl-C.

    In a terminal that is a table of what goes on and what ended last; in a pipe or a file a line for each event.
    """
    from lightflow.cli.render.times import time_of

    time_format = session.configuration().cli["time_format"]
    with session.connect() as client:
        newest = next(client.list_runs(page_size=1), None)  # raises where no system answers
        since = time_of(newest, "created_at") if newest and is_live(sys.stdout) else None
        with shown(time_format, details) as view:
            for happened in happenings(client, since):
                if happened.kind == "interrupted":
                    return
                view.take(happened)


def happenings(client: "ControlClient", since: "datetime | None") -> "Iterator[Happened]":
    """Every event once, through outages: "reopened" when the system went away, "answers" when it is there."""
    from lightflow.cli.streams import Happened, Streams
    from lightflow.runtime.told import Told

    told = Told(since)
    with Streams(patience=math.inf, events=lambda: client.watch_events(since=told.since)) as streams:
        for happened in streams.read():
            if happened.kind != "message":
                yield happened
            elif (event := told.new(happened.value)) is not None:
                yield happened._replace(value=event)
            elif happened.value.HasField("since"):
                yield Happened(happened.stream, "answers")


class View(Protocol):
    """Where events are shown; `live` says whether that can be changed in place."""

    live: bool

    def take(self, happened: "Happened") -> None: ...


class Lines:
    """Where the view is no terminal: a line for each event."""

    live = False

    def __init__(self, time_format: str, details: bool) -> None:
        from lightflow.cli.render.board import line, titles

        self._time_format, self._details, self._away = time_format, details, False
        click.echo(line([click.style(title, bold=True) for title in titles(details)]))

    def take(self, happened: "Happened") -> None:
        """Print an event, or on stderr that an outage began."""
        from lightflow.cli.render.board import cells, line

        away = happened.kind == "reopened"
        if happened.kind == "message":
            click.echo(line(cells(happened.value, self._time_format, self._details)))
        elif away and not self._away:
            click.echo(AWAY, err=True)
        self._away = away


class Picture:
    """On a terminal: a table that changes in place."""

    live = True

    def __init__(self, console: Any, time_format: str, details: bool) -> None:
        from lightflow.cli.render.board import Board

        self._console, self._time_format, self._details = console, time_format, details
        self._board, self._away = Board(), False

    def take(self, happened: "Happened") -> None:
        """Take in an event, or that there is an outage."""
        self._away = happened.kind == "reopened"
        if happened.kind == "message":
            self._board.take(happened.value)

    def draw(self) -> Any:
        """The table as it is now."""
        from lightflow.cli.render.board import picture

        height = self._console.size.height
        return picture(self._board, self._time_format, self._details, height, AWAY if self._away else "")


@contextmanager
def shown(time_format: str, details: bool) -> Iterator[View]:
    """The view that fits where it is shown."""
    if not is_live(sys.stdout):
        yield Lines(time_format, details)
        return
    from rich.console import Console
    from rich.live import Live

    console = Console(no_color=click.get_current_context().color is False, highlight=False)
    picture = Picture(console, time_format, details)
    with Live(console=console, get_renderable=picture.draw, vertical_overflow="crop"):
        yield picture
