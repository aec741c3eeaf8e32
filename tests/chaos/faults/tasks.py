"""Processes of tasks that die. No task is struck twice, so that none dies as often as makes it fail."""

import os
import signal
import time
from random import Random

from tests.chaos.faults.fault import Fault, Victim
from tests.chaos.system import System, is_of
from tests.chaos.watching import Key, Ledger

TAKEN_WITHIN = 10.0
"""Seconds in which a task must have taken the order to run out of memory."""


class KillTask(Fault):
    """SIGKILL of the process that runs an attempt."""

    name = "kill task"
    bound = 3.0
    explains = ("died",)

    def __init__(self) -> None:
        self._struck: set[Key] = set()

    def choose(self, system: System, ledger: Ledger, random: Random) -> Victim | None:
        died = {(line.run, line.dag, line.task) for line in ledger.lines() if line.what == "dies"}
        running = [(line, (line.run, line.dag, line.task)) for line in ledger.running()]
        spared, mark = died | self._struck, system.mark
        alive = [(line, task) for line, task in running if task not in spared and is_of(line.pid, mark)]
        if not alive:
            return None
        line, task = random.choice(alive)
        self._struck.add(task)
        return Victim(f"{line.dag}/{line.task}", line.pid, task=task)

    def begin(self, system: System, victim: Victim) -> None:
        os.kill(victim.pid, signal.SIGKILL)


class OutOfMemory(Fault):
    """The next task that begins allocates up to a limit, and is killed as the kernel would do it."""

    name = "out of memory"
    bound = 3.0
    explains = ("died",)

    def choose(self, system: System, ledger: Ledger, random: Random) -> Victim | None:
        order = system.folder / "hog"
        before = len(ledger.lines())
        order.touch()
        deadline = time.monotonic() + TAKEN_WITHIN
        while order.exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        order.unlink(missing_ok=True)
        found = [line for line in ledger.lines()[before:] if line.what == "dies"]
        return Victim(found[0].task, found[0].pid, task=(found[0].run, found[0].dag, found[0].task)) if found else None

    def begin(self, system: System, victim: Victim) -> None:
        """It has struck by taking the order."""
