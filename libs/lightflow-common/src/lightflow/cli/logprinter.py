"""Prints what tasks wrote, line by line."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import click

from lightflow.cli.result import write_json_line
from lightflow.runtime.loglines import LogLines, Writer

if TYPE_CHECKING:
    from lightflow.control.v1 import control_pb2 as pb


@dataclass
class LogPrinter:
    """`bare` leaves out who wrote a line; `ambiguous` are the names that several tasks have."""

    json: bool = False
    bare: bool = False
    ambiguous: frozenset[str] = frozenset()
    lines: LogLines = field(default_factory=LogLines)

    def take(self, piece: "pb.StreamLogsResponse") -> None:
        """Print the lines that this piece completes."""
        writer = Writer(piece.dag, piece.task, piece.attempt)
        self._print(writer, self.lines.feed(writer, piece.text))

    def close(self) -> None:
        """Print what is left without an end of line."""
        for writer, line in self.lines.close():
            self._print(writer, [line])

    def _print(self, writer: Writer, lines: Sequence[str]) -> None:
        if self.json:
            for line in lines:
                write_json_line({"dag": writer.dag, "task": writer.task, "attempt": writer.attempt, "text": line})
            return
        full = writer.task in self.ambiguous
        if lines:
            click.echo("\n".join(line if self.bare else prefixed(writer, line, full=full) for line in lines))


def prefixed(writer: Writer, line: str, *, full: bool) -> str:
    """A line that says which task wrote it; `full` with the name of its DAG run."""
    label = f"{writer.dag}/{writer.task}" if full else writer.task
    again = f" (attempt {writer.attempt})" if writer.attempt > 1 else ""
    return f"{click.style(f'{label}{again} |', fg='bright_black')} {line}"
