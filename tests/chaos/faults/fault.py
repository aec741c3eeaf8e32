"""What a fault is."""

from dataclasses import dataclass
from random import Random

from tests.chaos.system import System, Times
from tests.chaos.watching import Key, Ledger


@dataclass(frozen=True)
class Victim:
    """Whom a fault strikes: a process, the workers' incarnations that it takes along, or a task."""

    name: str = ""
    pid: int = 0
    holders: tuple[str, ...] = ()
    task: Key | None = None


class Fault:
    """A kind of fault. `bound` is after how many seconds what was owed must be done (DESIGN.md's table).

    `explains` are the endings of attempts that may follow from it, `overlaps` whether two attempts of one task may then
    be seen at once, `from_end` whether the bound counts from when it is over. Faults of one lane never overlap.
    `victim_within` are the seconds in which there must be somebody to strike.
    """

    name: str
    lane = "processes"
    bound: float = 15.0
    explains: tuple[str, ...] = ()
    overlaps = False
    from_end = False
    victim_within = 15.0

    def why_not(self, system: System) -> str | None:
        """Why it cannot be tried here."""
        return None

    def lasts(self, times: Times) -> float:
        """For how many seconds."""
        return 0.0

    def choose(self, system: System, ledger: Ledger, random: Random) -> Victim | None:
        """Whom it strikes; None when there is nobody right now."""
        return Victim()

    def begin(self, system: System, victim: Victim) -> Victim | None:
        """Strike; a victim where only this tells who it was."""
        raise NotImplementedError

    def end(self, system: System, victim: Victim) -> None:
        """Undo what can be undone."""


class ServerFault(Fault):
    """A fault of redis, MongoDB or the disk: what was owed counts from when they are back."""

    lane = "servers"
    from_end = True


def incarnation(system: System, pid: int) -> tuple[str, ...]:
    """The incarnations of the service process with this pid."""
    return tuple(str(worker["_id"]) for worker in system.db["workers"].find({"pid": pid}, {"_id": 1}))
