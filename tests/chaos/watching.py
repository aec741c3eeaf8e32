"""What is seen of a system while it works: the ledger, outcomes as they are committed, the machine's pauses."""

import threading
import time
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Self

from pymongo.database import Database
from pymongo.errors import PyMongoError
from tests.chaos.flows.ledger import Line, read_from

from lightflow.core.states import FINAL

Key = tuple[str, str, str]
"""A task: run, DAG run with its :n, name."""

Outcome = tuple[str, str, int]
"""What was committed: state, when, by which attempt."""

STARVED = 0.4
"""Share of a span of time for which a process that had something to do was not let do it."""


class Ledger:
    """The ledger's lines so far; may be asked from any thread."""

    def __init__(self, file: Path) -> None:
        self._file, self._offset, self._lock = file, 0, threading.Lock()
        self._lines: list[Line] = []
        self._open: dict[tuple[Key, int], Line] = {}

    def lines(self) -> list[Line]:
        """All of them, in the order in which they were written."""
        with self._lock:
            new, self._offset = read_from(self._file, self._offset)
            for line in new:
                attempt = ((line.run, line.dag, line.task), line.attempt)
                if line.what == "start":
                    self._open[attempt] = line
                elif line.what != "alive":
                    self._open.pop(attempt, None)
            self._lines += new
            return list(self._lines)

    def running(self) -> list[Line]:
        """The first lines of attempts that have no last one; some of them may be dead."""
        self.lines()
        with self._lock:
            return list(self._open.values())

    def started_after(self, task: Key, at: float) -> bool:
        """Whether an attempt of a task began after that time."""
        steps = (line for line in reversed(self.lines()) if line.at > at)
        return any(line.what == "start" and (line.run, line.dag, line.task) == task for line in steps)


class Background(AbstractContextManager["Background"]):
    """Something that goes on in a thread while the block lasts."""

    interval = 0.25

    def __init__(self) -> None:
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name=type(self).__name__, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def look(self) -> None:
        """What is done every `interval` seconds."""
        raise NotImplementedError

    def _run(self) -> None:
        while not self._over.wait(self.interval):
            self.look()


class Outcomes(Background):
    """Writes down every outcome as it is first seen, and every other one that the same task is seen with later."""

    def __init__(self, db: Database[dict[str, Any]]) -> None:
        super().__init__()
        self.seen: dict[str, list[Outcome]] = {}
        self._tasks = db["task_runs"]
        self._since: Any = None

    def look(self) -> None:
        final: dict[str, Any] = {"state": {"$in": [state.value for state in FINAL]}}
        if self._since is not None:
            final["changed_at"] = {"$gte": self._since}
        fields = {"state": 1, "finished_at": 1, "changed_at": 1, "attempts.outcome": 1}
        try:
            for task in self._tasks.find(final, fields):
                self._since = max(self._since or task["changed_at"], task["changed_at"])
                self.add(task)
        except PyMongoError:
            return  # it was taken away; what was committed meanwhile is seen next time

    def add(self, task: dict[str, Any]) -> None:
        """Take note of a task that is final."""
        outcome = (task["state"], str(task.get("finished_at")), len(task["attempts"]))
        seen = self.seen.setdefault(str(task["_id"]), [])
        if outcome not in seen:
            seen.append(outcome)


class Stalls(Background):
    """When the machine had no time for a process of the system, by the kernel's own account: pauses nobody injected."""

    interval = 1.0

    def __init__(self, pids: Callable[[], Iterable[int]]) -> None:
        super().__init__()
        self.windows: list[tuple[float, float]] = []
        self._pids, self._last = pids, time.time()
        self._waited: dict[int, float] = {}

    def look(self) -> None:
        now, waited = time.time(), {pid: waiting for pid in self._pids() if (waiting := _waited(pid)) is not None}
        longest = max((waiting - self._waited.get(pid, waiting) for pid, waiting in waited.items()), default=0.0)
        if longest > STARVED * (now - self._last):
            self.windows.append((self._last, now))
        self._waited, self._last = waited, now


def _waited(pid: int) -> float | None:
    """For how many seconds the main thread of a process has waited for a processor, in its life."""
    try:
        return int(Path(f"/proc/{pid}/schedstat").read_text().split()[1]) / 1e9
    except (OSError, IndexError):
        return None
