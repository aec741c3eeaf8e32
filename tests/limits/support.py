"""What the tests of limits share: their two forms, a system whose parts they take away, and what processes need."""

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar

import psutil
from pymongo import MongoClient
from redis import Redis

from lightflow.config import Config
from lightflow.local.stack import Stack
from lightflow.runtime.mongo import store_uri
from lightflow.runtime.notify import signal_url

LONG = os.environ.get("LIGHTFLOW_LIMITS") == "long"
PATIENCE = 7200.0 if LONG else 60.0
"""Seconds after which a test gives up; none comes near it."""

Value = TypeVar("Value")


def size(short: Value, long: Value) -> Value:
    """What the form asks for that is tested: the short one is part of `make test`, the other is `make limits-long`."""
    return long if LONG else short


def until(condition: Callable[[], Value], within: float = PATIENCE, what: Callable[[], object] = str) -> Value:
    """Wait until a condition holds and give what it gave; `what` tells what is wrong when it does not in time."""
    deadline = time.monotonic() + within
    while not (found := condition()):
        assert time.monotonic() < deadline, f"not within {within:g} s: {what()}"
        time.sleep(0.02)  # what is waited for is told by nobody
    return found


@contextmanager
def servers_of(stack: Stack) -> Iterator[tuple[Any, "Redis[bytes]"]]:
    """The database and the redis of a stack, seen from outside."""
    config = Config.from_file(stack.info.config)
    mongo: MongoClient[Any] = MongoClient(store_uri(config), tz_aware=True)
    with mongo, Redis.from_url(signal_url(config)) as redis:
        yield mongo["lightflow"], redis


@dataclass
class Peaks:
    """The most memory that each process of a stack was seen with, in MB, by the name of its service."""

    found: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def watched(self, stack: Stack) -> Iterator[None]:
        """Look for as long as the block lasts, and at its end, when the kernel still knows every peak."""
        over = threading.Event()

        def watch() -> None:
            while not over.wait(0.5):
                self._look(stack)

        watching = threading.Thread(target=watch, name="peaks")
        watching.start()
        try:
            yield
        finally:
            over.set()
            watching.join()
            self._look(stack)

    def above(self, bound: float) -> dict[str, float]:
        """The processes that were seen with more than this."""
        return {name: peak for name, peak in self.found.items() if peak > bound}

    def _look(self, stack: Stack) -> None:
        for process in stack.info.processes:
            if process.pid is None:
                continue
            with suppress(psutil.NoSuchProcess, ProcessLookupError, FileNotFoundError):
                self._note(process.name, process.pid)
                for child in psutil.Process(process.pid).children(recursive=True):
                    self._note(f"{process.name}'s children", child.pid)

    def _note(self, name: str, pid: int) -> None:
        with open(f"/proc/{pid}/status") as status:
            peak = next((int(line.split()[1]) / 1024 for line in status if line.startswith("VmHWM")), 0.0)
        self.found[name] = max(round(peak), self.found.get(name, 0.0))
