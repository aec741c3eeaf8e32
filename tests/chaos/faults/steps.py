"""Faults at single steps of the code: a reply that is lost after its write, a process that dies after it."""

import time
from random import Random

from tests.chaos.faults.fault import Fault, Victim
from tests.chaos.system import System
from tests.chaos.watching import Ledger

from lightflow.runtime.failpoints import KILL_AFTER, LOST

WORKER = "lightflow_task_worker.store:Store"
TAKEN_WITHIN = 3.0
"""Seconds in which a step must have been reached before another one is tried."""


class AtStep(Fault):
    """The next process that reaches one of these steps is struck there."""

    lane = "steps"
    explains = ("lost",)
    victim_within = 90.0

    def __init__(self, name: str, fault: str, *steps: str, bound: float) -> None:
        self.name, self.bound = name, bound
        self._fault, self.steps = fault, steps

    def choose(self, system: System, ledger: Ledger, random: Random) -> Victim | None:
        step, order = random.choice(self.steps), system.strike
        new = order.with_suffix(".new")
        new.write_text(f"{step}/{self._fault}")
        new.rename(order)
        deadline = time.monotonic() + TAKEN_WITHIN
        while order.exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        if order.exists():
            order.unlink(missing_ok=True)
            return None
        return Victim(step)

    def begin(self, system: System, victim: Victim) -> None:
        """It has struck when the step was reached."""


STEPS = (
    AtStep("reply of a claim lost", LOST, f"{WORKER}.claim", f"{WORKER}.claim_several", bound=15),
    AtStep("reply of an outcome lost", LOST, f"{WORKER}.commit_several", bound=15),
    AtStep("reply of a push lost", LOST, "lightflow.runtime.datastore.mongo:RunStore._write", bound=15),
    AtStep("reply of a start lost", LOST, "lightflow_scheduler.signals:Signals.start_dag", bound=15),
    AtStep("killed after a move", KILL_AFTER, "lightflow_dag_runner.store:Store._move_several", bound=10),
    AtStep(
        "killed between moves",
        KILL_AFTER,
        "lightflow.runtime.creation:create_tasks",
        "lightflow_scheduler.store:Store._write_dag_runs",
        "lightflow_scheduler.store:Store._save_several",
        bound=10,
    ),
)
