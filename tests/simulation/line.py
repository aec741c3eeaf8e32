"""Between a process and the server: where latency, outages, pauses and death come in."""

import asyncio
from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any

from pymongo.errors import AutoReconnect
from tests.simulation.faults import Fault
from tests.simulation.mongo.server import Steps
from tests.simulation.process import Process

from lightflow.runtime.failpoints import step_under_way

if TYPE_CHECKING:
    from tests.simulation.world import World


HALF_WAY = (1, 2, 3, 5, 8)
"""After how many documents, or questions to other collections, an operation may break off."""


class Line:
    """Runs the operations of one process on the server."""

    def __init__(self, world: "World", process: Process) -> None:
        self._world = world
        self._process = process

    async def run(self, steps: Steps, *, write: bool) -> Any:
        faults = self._world.faults
        step = step_under_way() if write else ""
        await self._reach()
        if self._world.mongo_is_down:
            raise AutoReconnect("MongoDB is down")
        fault = faults.strike(step) if write else None
        if fault is not None:
            self._world.tell(f"{fault} {step} of {self._process.name}")
        if fault is Fault.KILL_BEFORE:
            await self._die()
        if fault is Fault.REFUSED:
            raise AutoReconnect("refused")
        if fault is Fault.LATE:
            self._world.later(lambda: self._finish(steps))
            raise AutoReconnect("no reply")
        if fault is Fault.HALF:
            # No operation is atomic over several documents: when MongoDB dies, some may be changed and others not.
            await self._finish(islice(steps, faults.random.choice(HALF_WAY)))
            raise AutoReconnect("MongoDB died meanwhile")
        result = await self._finish(steps)
        if fault is Fault.KILL_AFTER:
            await self._die()
        if fault is Fault.LOST:
            raise AutoReconnect("the reply was lost")
        await self._reach()
        return result

    async def _reach(self) -> None:
        """One way through the network; a process that is paused goes no further, and one that is dead nowhere."""
        await self._world.breath()
        await self._process.awake.wait()
        if not self._process.alive:
            raise asyncio.CancelledError

    async def _die(self) -> None:
        self._world.kill(self._process)
        raise asyncio.CancelledError

    async def _finish(self, steps: Steps | Iterator[None]) -> Any:
        """The server works through an operation; others come in between."""
        while True:
            try:
                next(steps)
            except StopIteration as end:
                return end.value
            await self._world.breath()
