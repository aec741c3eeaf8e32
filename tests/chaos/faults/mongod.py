"""MongoDB killed and started again."""

from tests.chaos.faults.fault import ServerFault, Victim
from tests.chaos.system import System, Times


class MongodRestart(ServerFault):
    """SIGKILL, and started again with its files. Workers that miss it for too long give up what they run."""

    name = "mongod restarted"
    bound = 5.0
    explains = ("lost",)

    def lasts(self, times: Times) -> float:
        return times.outage

    def begin(self, system: System, victim: Victim) -> None:
        system.servers.kill("mongod")

    def end(self, system: System, victim: Victim) -> None:
        system.start_servers("mongod")
