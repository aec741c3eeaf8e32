"""Service processes that are killed or paused."""

import os
import signal
from contextlib import suppress
from random import Random

from tests.chaos.faults.fault import Fault, Victim, incarnation
from tests.chaos.system import SERVICES, System, Times
from tests.chaos.watching import Ledger


def replica(system: System, service: str, random: Random) -> Victim | None:
    """One of the two replicas of a service."""
    name = random.choice((service, f"{service}-2"))
    pid = system.pid(name)
    return None if pid is None else Victim(name, pid, incarnation(system, pid))


class KillService(Fault):
    """SIGKILL of a scheduler, dag-runner or task worker."""

    def __init__(self, service: str, bound: float, explains: tuple[str, ...] = ()) -> None:
        self.name = f"kill {service}"
        self.service, self.bound, self.explains = service, bound, explains

    def choose(self, system: System, ledger: Ledger, random: Random) -> Victim | None:
        return replica(system, self.service, random)

    def begin(self, system: System, victim: Victim) -> None:
        os.kill(victim.pid, signal.SIGKILL)


class ShortPause(Fault):
    """SIGSTOP of any service process, for less than its lease."""

    name = "short pause"

    def lasts(self, times: Times) -> float:
        return times.short_pause

    def choose(self, system: System, ledger: Ledger, random: Random) -> Victim | None:
        return replica(system, random.choice(SERVICES), random)

    def begin(self, system: System, victim: Victim) -> None:
        os.kill(victim.pid, signal.SIGSTOP)

    def end(self, system: System, victim: Victim) -> None:
        with suppress(ProcessLookupError):  # it was killed while it was paused
            os.kill(victim.pid, signal.SIGCONT)


class LongPause(ShortPause):
    """SIGSTOP of any service process, most often a task worker, for longer than its lease."""

    name = "long pause"
    bound = 35.0
    explains = ("lost",)
    overlaps = True

    def lasts(self, times: Times) -> float:
        return times.long_pause

    def choose(self, system: System, ledger: Ledger, random: Random) -> Victim | None:
        return replica(system, random.choice((*SERVICES, "task-worker", "task-worker")), random)
