"""When a worker claims, and when it had better not."""

import asyncio
from collections import deque
from types import SimpleNamespace

from lightflow_task_worker import loop
from lightflow_task_worker.aftermath import Aftermath
from lightflow_task_worker.backlog import Backlog, Pace
from lightflow_task_worker.loop import TaskWorker


class Lease:
    """A lease that is good or is not."""

    good = False

    def __call__(self):
        return self.good


class Claims:
    """A store without attempts that counts how often it is asked for some."""

    def __init__(self):
        self.asked = asyncio.Event()

    async def claim(self, queues, operation, only):
        self.asked.set()


class Gate:
    """The gate of a consumer, and what it was set to."""

    def __init__(self):
        self.set = []
        self.thrice = asyncio.Event()

    def open(self):
        self._note("open")

    def shut(self):
        self._note("shut")

    def _note(self, what):
        self.set.append(what)
        if len(self.set) == 3:
            self.thrice.set()


async def test_nothing_is_claimed_in_a_name_that_others_may_have_taken_for_dead_until_the_lease_is_good(monkeypatch):
    monkeypatch.setattr(loop, "PAUSE", 0.0)
    lease, claims, gate = Lease(), Claims(), Gate()
    tools = SimpleNamespace(
        store=claims,
        held={},
        ahead=deque(),
        places_ahead=0,
        asked=set(),
        backlog=Backlog(),
        pace=Pace(),
        aftermath=Aftermath(),
        hints=None,
        pool=SimpleNamespace(free=2),
        calling=SimpleNamespace(holds=lease),
        settings=SimpleNamespace(engine=SimpleNamespace(slots=2)),
    )
    worker = TaskWorker(tools, SimpleNamespace(is_crowded=False), ["task"], gate)
    feeding = asyncio.create_task(worker.feed())
    async with asyncio.timeout(10):
        await gate.thrice.wait()
        assert not claims.asked.is_set()
        assert set(gate.set) == {"shut"}, "no hint is taken that cannot be acted on"
        lease.good = True
        await claims.asked.wait()
    feeding.cancel()
