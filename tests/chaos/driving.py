"""Starts runs, as a client would that does not give up, and waits for their ends."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass

from pymongo.errors import PyMongoError
from tests.chaos import expected
from tests.chaos.system import System

from lightflow.core.errors import LightflowException
from lightflow.core.ids import new_id
from lightflow.core.states import FINAL

LOOK = 0.1


@dataclass(frozen=True)
class Accepted:
    """A run that the system has accepted, and the seed of its plan."""

    run: str
    seed: int


class Driver:
    """Keeps so many runs under way until `enough`; each is started with a key, again and again until it is accepted."""

    def __init__(self, system: System, seeds: Iterator[int], largest: int, *, at_once: int) -> None:
        self._system, self._seeds, self._largest = system, seeds, largest
        self._lock, self._enough = threading.Lock(), threading.Event()
        self.accepted: list[Accepted] = []
        self.refused: list[str] = []
        self._threads = ThreadPoolExecutor(at_once, "driver")
        self._work = [self._threads.submit(self._drive, number) for number in range(at_once)]

    def close(self) -> None:
        """Start nothing more, and wait for the runs under way, but not for ever."""
        self._enough.set()
        for work in self._work:
            work.result()
        self._threads.shutdown()

    def _drive(self, number: int) -> None:
        while not self._enough.is_set():
            with self._lock:
                seed = next(self._seeds)
                expected.write(self._system.flows, seed, self._largest, self._system.folder)
            run = self._start(seed, number)
            if run is not None:
                self.accepted.append(Accepted(run, seed))
                self._wait(run)

    def _start(self, seed: int, number: int) -> str | None:
        """Start a run; None where it was not accepted in all that time."""
        key, said, deadline = new_id(), "", time.monotonic() + self._system.times.patience
        while time.monotonic() < deadline:
            number += 1  # the other control service next time
            try:
                with self._system.control(number) as control:
                    return str(control.start_run(f"plan_{seed}", key=key, keep_data=True).run.run_id)
            except LightflowException as error:
                said = f"{type(error).__name__}: {error}"
            time.sleep(LOOK)
        self.refused.append(f"plan {seed}: {said}")
        return None

    def _wait(self, run: str) -> None:
        over = _until(lambda: self._is_final(run), lambda: self._enough.is_set())
        if not over:
            _until(lambda: self._is_final(run), _after(self._system.times.patience))

    def _is_final(self, run: str) -> bool:
        with suppress(PyMongoError):
            final = {"_id": run, "state": {"$in": [state.value for state in FINAL]}}
            return self._system.db["runs"].find_one(final, {"_id": 1}) is not None
        return False


def _until(condition: Callable[[], bool], give_up: Callable[[], bool]) -> bool:
    while not (met := condition()) and not give_up():
        time.sleep(LOOK)
    return met


def _after(seconds: float) -> Callable[[], bool]:
    deadline = time.monotonic() + seconds
    return lambda: time.monotonic() > deadline
