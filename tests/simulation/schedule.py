"""One schedule: a seed makes a workflow, faults and the order of all that happens; what comes of it is audited."""

import asyncio
import itertools
import logging
import random as global_random
import secrets
from dataclasses import dataclass
from random import Random
from typing import Any, cast
from unittest import mock

from tests.simulation.audit import audit, remains
from tests.simulation.clock import VirtualLoop
from tests.simulation.faults import Aim, Faults
from tests.simulation.plan import Plan, random_plan
from tests.simulation.process import task_factory
from tests.simulation.rules import Rules
from tests.simulation.world import World

from lightflow.core import run_machine
from lightflow.core.states import Service
from lightflow.runtime.process import UNREACHABLE


@dataclass(frozen=True)
class Report:
    """What came of a schedule."""

    findings: list[str]
    trace: list[str]
    faults: Faults
    seconds: float


class _Broken(logging.Handler):
    """Collects what the services say went wrong, where it is no server's absence: that is a bug."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.found: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        if error is not None and not isinstance(error, UNREACHABLE):
            self.found.append(f"{record.getMessage()}: {error!r}")


def run(seed: int, *, aim: Aim | None = None) -> Report:
    """Run the schedule of a seed, with one more fault where it is aimed at; all of it follows from the arguments."""
    random = Random(seed)
    plan = random_plan(random)
    faults = Faults.drawn(random)
    faults.aim = aim
    global_random.seed(seed)  # jitter of retries
    numbers = itertools.count(1)
    broken = _Broken()
    logger = logging.getLogger()
    logger.addHandler(broken)
    loop = VirtualLoop()
    loop.set_task_factory(cast("Any", task_factory))  # the stub's type has no place for a coroutine's own type
    loop.set_exception_handler(lambda *_: None)  # errors of tasks that died with their process
    try:
        with (
            mock.patch.object(secrets, "token_hex", lambda size: f"{next(numbers):0{2 * size}x}"),
            mock.patch.object(run_machine, "TASKS_AT_ONCE", plan.tasks_at_once),
        ):
            return loop.run_until_complete(_run(loop, plan, faults, random, broken))
    finally:
        logger.removeHandler(broken)
        loop.close()


async def _run(loop: VirtualLoop, plan: Plan, faults: Faults, random: Random, broken: _Broken) -> Report:
    world = World(loop, plan, faults, random)
    Rules(world)
    keep_data = random.random() < 0.8
    await world.deploy()
    for kind in Service:
        for number in (1, 2):
            world.spawn(kind, f"{kind}-{number}")
    try:
        await world.start(keep_data)
        await world.trouble()
        if plan.stop_after is not None:
            await asyncio.sleep(plan.stop_after)
            await world.stop()
        if await world.until_through():
            findings = audit(world, keep_data)
            await world.prune()
            findings += remains(world)
        else:
            findings = [f"stuck: the run is {world.run['state']} and something is left to do"]
    finally:
        await world.end()
    return Report([*world.findings, *broken.found, *findings], world.trace, faults, loop.time())
