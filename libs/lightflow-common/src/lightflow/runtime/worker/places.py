"""The name of a worker and its files: no two living workers of a machine and a store have the same name."""

import fcntl
import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from lightflow.core.errors import WorkerNameTaken
from lightflow.runtime.folders import make_private

DEFAULT_NAME = "worker"


@dataclass(frozen=True, slots=True)
class Place:
    """What a worker has taken for as long as it lives: its name, and a file for its configuration."""

    name: str
    config: Path


@contextmanager
def taken(name: str | None, system: str) -> Iterator[Place]:
    """A place under this name, else under the first of worker, worker-2, ... that is free.

    A worker that starts again gets the name it had, by which it finds what its last life left. `system` tells one store
    from another. Raises WorkerNameTaken.
    """
    folder = Path(tempfile.gettempdir()) / f"lightflow-workers-{os.getuid()}"
    make_private(folder)
    prefix = hashlib.sha256(system.encode()).hexdigest()[:12]
    for candidate in [name] if name else default_names():
        stem = hashlib.sha256(candidate.encode()).hexdigest()[:12]
        with _locked(folder / f"{prefix}-{stem}.lock") as locked:
            if not locked:
                continue
            place = Place(candidate, folder / f"{prefix}-{stem}.cfg")
            try:
                yield place
            finally:
                place.config.unlink(missing_ok=True)
            return
    raise WorkerNameTaken(str(name))


def default_names() -> Iterator[str]:
    """worker, worker-2, worker-3, ..."""
    return (DEFAULT_NAME if number == 1 else f"{DEFAULT_NAME}-{number}" for number in count(1))


@contextmanager
def _locked(path: Path) -> Iterator[bool]:
    """Whether the lock could be had; held until this process ends, in whatever way."""
    with os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o600)) as lock:
        held = False
        with suppress(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            held = True
        yield held
