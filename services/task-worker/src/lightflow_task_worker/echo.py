"""What tasks write, on the terminal of the worker that runs them: line by line, each with its task's name."""

import os
import sys
import threading
from queue import Full, Queue

from lightflow.core.outcomes import Ending, Outcome
from lightflow.runtime.loglines import LogLines, Writer

MOST_WAITING = 1000


class Terminal:
    """The output of this process. It is written by a thread: a terminal that is held must not hold the worker."""

    def __init__(self) -> None:
        self._waiting: Queue[str | None] = Queue(MOST_WAITING)
        self._dropped = False
        self.colours = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
        self._thread = threading.Thread(target=self._write, daemon=True)
        self._thread.start()

    def show(self, text: str) -> None:
        """Write this soon; where too much waits already it is left out, and the log of the run has it all the same."""
        try:
            self._waiting.put_nowait("(some output was left out here)\n" + text if self._dropped else text)
            self._dropped = False
        except Full:
            self._dropped = True

    def close(self) -> None:
        """Write what waits, unless the terminal is held."""
        try:
            self._waiting.put_nowait(None)
        except Full:
            return
        self._thread.join(1.0)

    def _write(self) -> None:
        while (text := self._waiting.get()) is not None:
            sys.stdout.write(text)
            sys.stdout.flush()


class Echo:
    """The output of one attempt on a terminal."""

    def __init__(self, terminal: Terminal, writer: Writer) -> None:
        self._terminal = terminal
        self._writer = writer
        self._lines = LogLines()
        again = f" (attempt {writer.attempt})" if writer.attempt > 1 else ""
        label = f"{writer.dag}/{writer.task}{again} |"
        self._label = f"\033[90m{label}\033[0m" if terminal.colours else label

    def write(self, piece: bytes) -> None:
        """Show the lines that this piece completes."""
        self._show(self._lines.feed(self._writer, piece))

    def close(self, outcome: Outcome) -> None:
        """Show what is left without an end of line, and how the attempt ended."""
        error = outcome.error
        why = f": {error.type}: {error.message}" if error is not None else ""
        trace = error.traceback.splitlines() if error is not None and outcome.ending is Ending.ERROR else []
        self._show([*(line for _, line in self._lines.close()), *trace, f"({outcome.ending}{why})"])

    def _show(self, lines: list[str]) -> None:
        if lines:
            self._terminal.show("".join(f"{self._label} {line}\n" for line in lines))
