"""redis restarted, emptied, and its connections cut."""

import shutil
import time

from tests.chaos.faults.fault import ServerFault, Victim
from tests.chaos.system import System, Times


class RedisRestart(ServerFault):
    """SIGKILL, and started again with its file."""

    name = "redis restarted"

    def lasts(self, times: Times) -> float:
        return times.outage

    def begin(self, system: System, victim: Victim) -> None:
        system.servers.kill("redis")

    def end(self, system: System, victim: Victim) -> None:
        system.start_servers("redis")


class RedisForgets(RedisRestart):
    """SIGKILL, and started again without its file."""

    name = "redis restarted empty"

    def end(self, system: System, victim: Victim) -> None:
        shutil.rmtree(system.places.redis_data)
        system.places.redis_data.mkdir(mode=0o700)
        super().end(system, victim)


class RedisThrice(ServerFault):
    """Restarted three times in three seconds: the hiccup after which consumers have been seen to hang."""

    name = "redis restarted thrice"

    def begin(self, system: System, victim: Victim) -> None:
        began = time.monotonic()
        for number in range(1, 4):
            system.servers.kill("redis")
            system.start_servers("redis")
            time.sleep(max(0.0, began + number - time.monotonic()) if number < 3 else 0.0)


class FlushAll(ServerFault):
    """FLUSHALL."""

    name = "redis emptied"

    def begin(self, system: System, victim: Victim) -> None:
        with system.redis() as redis:
            redis.flushall()


class ClientKill(ServerFault):
    """CLIENT KILL of all connections."""

    name = "redis connections cut"

    def begin(self, system: System, victim: Victim) -> None:
        with system.redis() as redis:
            for kind in ("normal", "pubsub"):
                redis.execute_command("CLIENT", "KILL", "TYPE", kind)
