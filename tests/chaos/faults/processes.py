"""Service processes that are killed or paused."""

import os
import signal
from contextlib import suppress
from random import Random

from tests.chaos.faults.fault import Fault, Victim, incarnation
from tests.chaos.system import SERVICES, System, Times, is_of
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


class HostLost(KillService):
    """SIGKILL of a service whose host never comes back: its replacement is another worker, and takes over nothing."""

    def __init__(self, service: str, bound: float, explains: tuple[str, ...] = ()) -> None:
        super().__init__(service, bound, explains)
        self.name = f"host of {service} lost"
        self.victim_within = 60.0

    def choose(self, system: System, ledger: Ledger, random: Random) -> Victim | None:
        victim = super().choose(system, ledger, random)
        if victim is None or self.service != "task-worker":
            return victim
        # Only what it holds has to be taken back.
        held = {"state": "running", "holder": {"$in": list(victim.holders)}}
        return victim if system.db["task_runs"].find_one(held, {"_id": 1}) is not None else None

    def begin(self, system: System, victim: Victim) -> None:
        system.rename(victim.name)
        super().begin(system, victim)


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


class LateOutcome(LongPause):
    """The same of a task worker whose task is at work: it ends meanwhile, and its outcome comes too late."""

    name = "outcome too late"
    victim_within = 60.0

    def choose(self, system: System, ledger: Ledger, random: Random) -> Victim | None:
        at_work = [line for line in ledger.running() if is_of(line.pid, system.mark)]
        if not at_work:
            return None
        line = random.choice(at_work)
        task = {"run": line.run, "dag": line.dag, "task": line.task, "state": "running"}
        held = system.db["task_runs"].find_one(task, {"holder": 1})
        worker = system.db["workers"].find_one({"_id": held["holder"]}, {"pid": 1}) if held else None
        return None if worker is None else Victim("task-worker", worker["pid"], incarnation(system, worker["pid"]))
