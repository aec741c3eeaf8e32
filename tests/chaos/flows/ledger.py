"""The ledger: what tasks did, told by themselves and by nobody else.

A line is appended in one write to a file opened with O_APPEND, so that lines of several processes never mix and a line
is there before the next step of its task, however its process ends. It travels with the workflow files.
"""

import json
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Line:
    """A step of an attempt: `what` is start, alive, end or dies; `at` in seconds of the wall clock."""

    run: str
    dag: str
    task: str
    attempt: int
    pid: int
    what: str
    at: float


class Writer:
    """Appends the steps of one attempt."""

    def __init__(self, file: str, run: str, dag: str, task: str, attempt: int) -> None:
        self._file = file
        self._attempt = (run, dag, task, attempt, os.getpid())

    def note(self, what: str) -> None:
        """Append a line, durable against everything but the death of the machine."""
        line = json.dumps(asdict(Line(*self._attempt, what, time.time()))) + "\n"
        descriptor = os.open(self._file, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.write(descriptor, line.encode())
        finally:
            os.close(descriptor)


def read_from(file: Path, offset: int) -> tuple[list[Line], int]:
    """The lines from an offset on, oldest first, and the offset behind them; one that is being written is not there."""
    if not file.exists():
        return [], offset
    with file.open("rb") as lines:
        lines.seek(offset)
        whole, _, _ = lines.read().rpartition(b"\n")
    new = whole.splitlines()
    return [Line(**json.loads(line)) for line in new], offset + (len(whole) + 1 if new else 0)
