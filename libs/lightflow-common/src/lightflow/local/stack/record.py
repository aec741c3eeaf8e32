"""stack.json: what the supervisor writes down about a stack, and what others find there."""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from lightflow.local.stack.errors import StackRunning
from lightflow.local.stack.places import Places
from lightflow.runtime.supervision.living import ProcessInfo, is_alive


@dataclass(frozen=True, slots=True)
class StackInfo:
    """A stack; `pid` is its supervisor's, `born` tells a reused pid, `state` is starting, running or stopping."""

    pid: int
    born: str | None
    state: str
    data_dir: str
    target: str
    targets: tuple[str, ...]
    sockets: str
    config: str
    started_at: str
    processes: tuple[ProcessInfo, ...]

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        processes = tuple(ProcessInfo(**process) for process in data["processes"])
        return cls(**{**data, "targets": tuple(data["targets"]), "processes": processes})

    def process(self, name: str) -> ProcessInfo:
        """The process of that name, such as `mongod` or `task-worker-2`; raises KeyError."""
        return {process.name: process for process in self.processes}[name]


def write(path: Path, info: StackInfo) -> None:
    """Replace the record in one step: a reader sees the old one or the new one."""
    unfinished = path.with_name(f"{path.name}.new")
    unfinished.write_text(json.dumps(info.to_json(), indent=1))
    unfinished.replace(path)


def read(path: Path) -> StackInfo | None:
    """The record, None where there is none that this release can read."""
    try:
        return StackInfo.from_json(json.loads(path.read_text()))
    except (FileNotFoundError, ValueError, TypeError, KeyError):
        return None


def find(data_dir: Path) -> StackInfo | None:
    """The living stack of a data dir."""
    info = read(Places.of(data_dir).state)
    return info if info is not None and is_alive(info.pid, info.born) else None


@contextmanager
def locked(places: Places) -> Iterator[None]:
    """Keep other stacks out of the data dir, until this process ends in whatever way; raises StackRunning."""
    with places.lock.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StackRunning(str(places.data_dir)) from None
        yield


def wait_unlocked(places: Places) -> None:
    """Wait until the supervisor of a data dir has ended."""
    descriptor = os.open(places.lock, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH)
    finally:
        os.close(descriptor)
