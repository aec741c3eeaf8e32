"""What `monitor` shows: events as lines, and as a table in which what began is updated when it ends."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from lightflow.cli.render.columns import state
from lightflow.cli.render.times import seconds_of, span, time_of

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.text import Text

    from lightflow.control.v1 import control_pb2 as pb

REMEMBERED = 1000
"""Rows that are kept; of more the oldest that have ended go."""

_WIDTHS = (21, 11, 10, 26, 26, 12, 18, 8)
_TITLES = ("TIME", "EVENT", "TYPE", "NAME", "RUN")
_DETAILS = ("QUEUE", "WORKER", "PID", "DURATION")
_LONG = ("NAME", "QUEUE", "WORKER")
_RUN_DIGITS = 8


def titles(details: bool) -> tuple[str, ...]:
    """The names of the columns."""
    return (*_TITLES, *_DETAILS) if details else (*_TITLES, _DETAILS[-1])


def cells(event: "pb.Event", time_format: str, details: bool, now: datetime | None = None) -> list[str]:
    """What a row says of an event; times by the configuration's format, on the clock of who looks.

    With `now` what has begun says for how long it goes on.
    """
    time = time_of(event, "time")
    when = time.astimezone().strftime(time_format) if time else ""
    word = click.style("started", fg="cyan") if goes_on(event) else state(event.state)
    name = f"{event.dag}/{event.name}" if event.type == "task" and event.dag else event.name
    again = f" (attempt {event.attempt})" if event.attempt > 1 else ""
    seconds = seconds_of(event)
    if goes_on(event) and now is not None and time is not None:
        seconds = (now - time).total_seconds()
    more = [event.queue, event.worker, str(event.pid or "")] if details else []
    return [when, word, event.type, name + again, event.run_id, *more, span(seconds)]


def line(texts: Sequence[str]) -> str:
    """The texts below those of the line above, as long as they are no longer than usual."""
    widths = (*_WIDTHS[: len(texts) - 1], 0)
    padded = (text + " " * (width - len(click.unstyle(text))) for text, width in zip(texts, widths, strict=True))
    return " ".join(padded).rstrip()


def goes_on(event: "pb.Event") -> bool:
    """Whether this is the event of something that began."""
    return event.event.endswith("-started")


class Board:
    """The newest event of each run, DAG run and task."""

    def __init__(self) -> None:
        self._events: dict[tuple[str, ...], pb.Event] = {}
        self.told = 0

    def take(self, event: "pb.Event") -> None:
        """Let an event take the place of the one before it."""
        self.told += 1
        key = (event.run_id, event.type, event.dag, event.name)
        self._events.pop(key, None)
        self._events[key] = event
        if len(self._events) > REMEMBERED:
            ended = (key for key, each in self._events.items() if not goes_on(each))
            del self._events[next(ended, next(iter(self._events)))]

    def rows(self, most: int) -> list["pb.Event"]:
        """So many at most, the latest last; what goes on stays before what has ended."""
        events = list(self._events.values())
        running = [event for event in events if goes_on(event)][-most:] if most > 0 else []
        room = most - len(running)
        ended = [event for event in events if not goes_on(event)][-room:] if room > 0 else []
        chosen = {event.id for event in (*running, *ended)}
        return [event for event in events if event.id in chosen]

    def summary(self) -> str:
        """All of it in a line."""
        running = sum(map(goes_on, self._events.values()))
        events = "1 event" if self.told == 1 else f"{self.told} events"
        return f"{running} going on, {events} so far. Ctrl-C ends this view, not what it shows."


def picture(board: Board, time_format: str, details: bool, height: int, note: str = "") -> "RenderableType":
    """The board as a table that fits a terminal of that height, and a line below it: a note, or the summary."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for title in titles(details):
        # In a narrow terminal these give way, the others do not; no cell ever takes a second line.
        table.add_column(title, no_wrap=title not in _LONG, header_style="bold")
    for event in board.rows(height - 3):
        texts = cells(event, time_format, details, datetime.now(UTC))
        texts[titles(details).index("RUN")] = event.run_id[:_RUN_DIGITS]
        table.add_row(*(_cell(text) for text in texts))
    return Group(table, Text(note or board.summary(), style="yellow" if note else "bright_black", no_wrap=True))


def _cell(text: str) -> "Text":
    from rich.text import Text

    cell = Text.from_ansi(text, overflow="ellipsis")
    cell.no_wrap = True
    return cell
