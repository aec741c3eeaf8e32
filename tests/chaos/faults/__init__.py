"""The kinds of faults, by name."""

from tests.chaos.faults.disk import DiskFull
from tests.chaos.faults.fault import Fault
from tests.chaos.faults.hints import DoubledHints, ForgedHints
from tests.chaos.faults.mongod import MongodRestart
from tests.chaos.faults.processes import HostLost, KillService, LateOutcome, LongPause, ShortPause
from tests.chaos.faults.redis import ClientKill, FlushAll, RedisForgets, RedisRestart, RedisThrice
from tests.chaos.faults.steps import STEPS
from tests.chaos.faults.stops import StopRun
from tests.chaos.faults.tasks import KillTask, OutOfMemory

FAULTS: dict[str, Fault] = {
    fault.name: fault
    for fault in (
        KillService("scheduler", bound=10),
        KillService("dag-runner", bound=10),
        KillService("task-worker", bound=35, explains=("lost",)),
        HostLost("scheduler", bound=10),
        HostLost("dag-runner", bound=10),
        HostLost("task-worker", bound=35, explains=("lost",)),
        KillTask(),
        OutOfMemory(),
        ShortPause(),
        LongPause(),
        LateOutcome(),
        StopRun(),
        RedisRestart(),
        RedisForgets(),
        RedisThrice(),
        FlushAll(),
        ClientKill(),
        DoubledHints(),
        ForgedHints(),
        MongodRestart(),
        DiskFull(),
        *STEPS,
    )
}

__all__ = ["FAULTS", "Fault"]
