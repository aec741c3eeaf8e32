"""A run that is stopped while nobody is there to stop its tasks one by one: only their workers can keep to the stop."""

import os
import signal
import time
from contextlib import suppress
from itertools import count
from math import inf
from random import Random
from typing import Any

from tests.chaos.faults.fault import Fault, Victim
from tests.chaos.system import System, Times
from tests.chaos.watching import Ledger

from lightflow.core.errors import LightflowException

ANSWERED_WITHIN = 10.0
"""Seconds after which a stop that no control service has answered is given up."""


class StopRun(Fault):
    """A client stops the run that has most to do, while both dag-runners hang."""

    name = "stop while dag-runners hang"
    bound = 15.0
    from_end = True

    def lasts(self, times: Times) -> float:
        return 3.0

    def choose(self, system: System, ledger: Ledger, random: Random) -> Victim | None:
        most: list[dict[str, Any]] = [
            {"$match": {"state": {"$in": ["waiting", "queued"]}}},
            {"$group": {"_id": "$run", "tasks": {"$sum": 1}}},
            {"$sort": {"tasks": -1}},
        ]
        runs = [run["_id"] for run in system.db["task_runs"].aggregate(most) if run["_id"] not in system.stops]
        return Victim(runs[0]) if runs else None

    def begin(self, system: System, victim: Victim) -> None:
        _signal(system, signal.SIGSTOP)
        system.stops[victim.name] = inf  # one that is not answered may take effect all the same
        deadline = time.monotonic() + ANSWERED_WITHIN
        for number in count():
            with suppress(LightflowException), system.control(number) as control:
                control.stop_run(victim.name)
                system.stops[victim.name] = time.time()
                return
            if time.monotonic() > deadline:
                return
            time.sleep(0.1)

    def end(self, system: System, victim: Victim) -> None:
        _signal(system, signal.SIGCONT)


def _signal(system: System, number: int) -> None:
    for name in ("dag-runner", "dag-runner-2"):
        if (pid := system.pid(name)) is not None:
            with suppress(ProcessLookupError):  # it has just died of something else
                os.kill(pid, number)
