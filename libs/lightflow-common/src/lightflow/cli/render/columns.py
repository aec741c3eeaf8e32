"""Aligned columns and coloured states: all the layout that tables here need."""

from collections.abc import Sequence

import click

_COLORS = {
    "running": "cyan",
    "queued": "blue",
    "stopping": "yellow",
    "succeeded": "green",
    "skipped": "bright_black",
    "stopped": "yellow",
    "aborted": "magenta",
    "failed": "red",
}


def state(word: str) -> str:
    """A state in its colour."""
    return click.style(word, fg=_COLORS[word]) if word in _COLORS else word


def columns(titles: Sequence[str], rows: Sequence[Sequence[str]], indent: str = "") -> str:
    """Rows under their titles, each column as wide as its widest cell; a column that is empty is left out."""
    shown = [place for place in range(len(titles)) if any(row[place] for row in rows)]
    head = [click.style(title, bold=True) if (title := titles[place]) else "" for place in shown]
    table = [head, *([clean(row[place]) for place in shown] for row in rows)]
    widths = [max(len(click.unstyle(line[place])) for line in table) for place in range(len(shown))]
    return "\n".join(indent + _line(line, widths) for line in table)


def clean(text: str) -> str:
    """The text on one line, so that it cannot break a table."""
    return " ".join(text.split()) if text != text.strip() or "\n" in text or "\t" in text else text


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = (cell + " " * (width - len(click.unstyle(cell))) for cell, width in zip(cells, widths, strict=True))
    return "  ".join(padded).rstrip()
