"""The task worker's work: claim attempts while slots are free, run them, hand them in."""

import asyncio
import logging
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any

from lightflow.core.ids import new_id
from lightflow.core.states import Service
from lightflow.runtime.consumer import HintConsumer
from lightflow.runtime.mongo import Document
from lightflow.runtime.process import UNREACHABLE
from lightflow_task_worker.attempt import Attempt, Tools
from lightflow_task_worker.waiting import Waiting

logger = logging.getLogger(__name__)

PAUSE = 0.5
"""Seconds before a claim is tried again that found MongoDB unreachable."""


@dataclass
class TaskWorker:
    """Runs attempts. It is hinted at them, but claims whatever is oldest: a hint is only the reason to ask."""

    tools: Tools
    waiting: Waiting
    queues: Sequence[str]
    consumer: HintConsumer | None = None
    _draining: bool = False
    _look: asyncio.Event = field(default_factory=asyncio.Event)
    _running: set[asyncio.Task[None]] = field(default_factory=set)

    def hinted(self, ids: list[str]) -> None:
        """Ask MongoDB for attempts. A hint that came when no slot was free any more is passed on to other workers."""
        if ids and self._may_claim() == 0:
            self._background(self._pass_on(ids))
        self._look.set()

    def changed(self) -> None:
        """A slot became free, or nearly everything waits: there may be something to claim."""
        self._look.set()

    async def feed(self) -> None:
        """Claim and begin attempts whenever there is reason to, for ever."""
        self._look.set()
        while True:
            await self._look.wait()
            self._look.clear()
            try:
                await self._fill()
            except UNREACHABLE as error:
                logger.warning("nothing can be claimed: %s", str(error).splitlines()[0])
                asyncio.get_running_loop().call_later(PAUSE, self._look.set)
            self._set_gate()

    async def drain(self, grace: float) -> None:
        """Claim nothing more; what still runs after `grace` seconds is handed in, to be repeated elsewhere."""
        self._draining = True
        self._set_gate()
        if self._running:
            await asyncio.wait(self._running, timeout=grace)
        for attempt in list(self.tools.held.values()):
            attempt.hand_in()
        if self._running:
            await asyncio.wait(self._running, timeout=grace)

    def _may_claim(self) -> int:
        return 0 if self._draining else self.tools.pool.free

    def _set_gate(self) -> None:
        if self.consumer is not None:
            (self.consumer.open if self._may_claim() else self.consumer.shut)()

    async def _fill(self) -> None:
        while self._may_claim():
            task = await self._claim()
            if task is None:
                self._nothing_claimable()
                break
            self.tools.aftermath.queued.pop(task["_id"], None)
            self._begin(task)
        self.tools.aftermath.hint(self.tools.hints, (attempt.task for attempt in self.tools.held.values()))

    def _nothing_claimable(self) -> None:
        if not self.waiting.is_crowded:
            self.tools.aftermath.nothing_claimable(self.queues)

    async def _claim(self) -> Document | None:
        operation = new_id()
        only = self.waiting.awaited() if self.waiting.is_crowded else None
        try:
            return await self.tools.store.claim(self.queues, operation, only)
        except UNREACHABLE:
            # The claim may have taken effect although its reply was lost.
            task = await self.tools.store.claimed_by(operation)
            if task is None:
                raise
            return task

    def _begin(self, task: Document) -> None:
        attempt = Attempt(task, self.tools)
        if not self.tools.store.is_mine(task):
            # The lease was lost while the claim was under way: it is in a name whose attempts are taken back.
            self._background(attempt.hand_back(None))
            return
        self.tools.held[attempt.id] = attempt
        self.tools.pool.take()
        self._background(self._run(attempt))

    def _background(self, work: Coroutine[Any, Any, None]) -> None:
        running = asyncio.create_task(work)
        self._running.add(running)
        running.add_done_callback(self._running.discard)

    async def _pass_on(self, ids: list[str]) -> None:
        try:
            queues = await self.tools.store.queues_of(ids)
        except UNREACHABLE as error:
            logger.warning("a hint is left to the sweep: %s", str(error).splitlines()[0])
            return
        for queue in queues:
            self.tools.hints.send(Service.TASK_WORKER, queue, ids)

    async def _run(self, attempt: Attempt) -> None:
        try:
            await attempt.run()
        except Exception:
            # What is recorded in this worker's name and not run by it is given back at the next renewal.
            logger.exception("the attempt of %s broke off", attempt.id)
        finally:
            # The same task may be this worker's again by now, as another attempt.
            if self.tools.held.get(attempt.id) is attempt:
                del self.tools.held[attempt.id]
            self.tools.pool.give()
