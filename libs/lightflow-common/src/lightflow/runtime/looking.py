"""A service whose work is looking: it is hinted at things, looks at them, and sweeps for what hints missed."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from typing import Any

from lightflow.core.leases import LeaseWatch
from lightflow.runtime.connections import Connections
from lightflow.runtime.consumer import HintConsumer
from lightflow.runtime.consumer_watch import ConsumerWatch
from lightflow.runtime.looks import Looks
from lightflow.runtime.membership import Member, Membership
from lightflow.runtime.process import notify_ready, serve_until, when_reachable
from lightflow.runtime.pulse import Pulse
from lightflow.runtime.settings import EngineSettings
from lightflow.runtime.sweep import Part, Sweep
from lightflow.runtime.takeback import TakeBack

LOOKS_AT_ONCE = 32
LOOKS_HELD = 1000
"""With so many things to look at no more hints are taken: the rest waits where other replicas can take it."""

MISSED_RENEWALS = 3
"""After how many renewals that a worker owes it is no longer shown as living."""

MakeConsumer = Callable[[Callable[[list[str]], None]], HintConsumer]


async def _nothing() -> None:
    """What most services have to do when they were taken for dead."""


class LookingService:
    """The looks, the consumer that feeds them, the sweep and the membership of a scheduler or a dag-runner."""

    def __init__(
        self,
        with_: Connections,
        engine: EngineSettings,
        member: Member,
        look: Callable[[str], Awaitable[None]],
        part: Part,
        make_consumer: MakeConsumer,
    ) -> None:
        self._notifier = with_.notifier
        self._looks = Looks(look, LOOKS_AT_ONCE, self._keep_gate)
        self._consumer = make_consumer(self._looks.add)
        self._leases = LeaseWatch(engine.lease_timeout, gap=3 * engine.sweep_interval)
        # Nothing is claimed in this member's name: it need not prove its life more often than it sweeps.
        self._renewal = max(engine.lease_interval, engine.sweep_interval)
        self._membership = Membership(with_.db, member, self._renewal)
        watch = ConsumerWatch(self._consumer, member.service, member.queues, with_.queues)
        self._pulse = Pulse(watch, self._membership.since_renewal, self._renewal)
        self._sweep = Sweep(
            with_.db,
            with_.queues,
            part,
            self._leases,
            TakeBack(with_.db, with_.specs, with_.hints, engine.bounds),
            watch,
            engine.sweep_interval,
        )

    def look_at(self, name: str) -> None:
        """Look at this soon."""
        self._looks.add([name])

    def is_alive(self, worker: dict[str, Any]) -> bool:
        """Whether the worker of this document has proven its life lately, as far as the sweeps of this process saw."""
        silence = self._leases.silence(worker["_id"], asyncio.get_running_loop().time())
        return "dead" not in worker and silence < MISSED_RENEWALS * self._renewal

    @contextlib.asynccontextmanager
    async def member(self) -> AsyncIterator[None]:
        """Be in the list of workers."""
        await when_reachable("MongoDB", self._membership.enter)
        try:
            yield
        finally:
            await self._membership.leave()

    async def serve(
        self,
        stop: asyncio.Event,
        *more: Coroutine[Any, Any, None],
        reentered: Callable[[], Awaitable[None]] = _nothing,
    ) -> None:
        """Take hints, sweep and do `more` until `stop` is set; looks under way are finished.

        `reentered` is called when this member was taken for dead and has entered the list of workers anew.
        """
        self._consumer.start()
        self._consumer.open()
        notify_ready()
        told = self._membership.until_told(self._notifier)
        keeping = (self._membership.keep(reentered), self._pulse.keep())
        await serve_until(stop, self._sweep.run(), *keeping, told, *more)
        self._consumer.stop()
        await self._looks.close()

    def _keep_gate(self, held: int) -> None:
        if held < LOOKS_HELD:
            self._consumer.open()
        else:
            self._consumer.shut()
