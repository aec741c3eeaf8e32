"""The task worker's work: claim attempts while slots are free, run them, hand them in."""

import asyncio
import logging
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any

from lightflow.core.ids import dag_run_of, new_id
from lightflow.core.states import Service
from lightflow.runtime.consumer import HintConsumer
from lightflow.runtime.mongo import Document
from lightflow.runtime.process import UNREACHABLE
from lightflow_task_worker.attempt import Attempt, Tools
from lightflow_task_worker.waiting import Waiting

logger = logging.getLogger(__name__)

PAUSE = 0.5
"""Seconds before a claim is tried again that found MongoDB unreachable, or the lease not renewed."""

PATIENCE = 0.05
"""Seconds after which what was claimed ahead and has no slot yet is left to others."""


@dataclass
class TaskWorker:
    """Runs attempts. It is hinted at them, but asks for whatever is oldest: a hint is only the reason to ask."""

    tools: Tools
    waiting: Waiting
    queues: Sequence[str]
    consumer: HintConsumer | None = None
    _look: asyncio.Event = field(default_factory=asyncio.Event)
    _timer: asyncio.TimerHandle | None = None
    _unanswered: str | None = None
    _hinted_at: list[str] = field(default_factory=list)
    _running: set[asyncio.Task[None]] = field(default_factory=set)

    def hinted(self, ids: list[str]) -> None:
        """Ask MongoDB for attempts. A hint that came when no slot was free any more is passed on to other workers."""
        if ids and self._free() == 0:
            self._background(self._pass_on(ids))
        elif not self.tools.held:
            self._hinted_at += [dag_run_of(task) for task in ids]
        self.tools.backlog.hinted()
        self._look.set()

    def changed(self) -> None:
        """A slot became free, or nearly everything waits: what is there begins, and there may be more to claim."""
        self._begin_ahead()
        self._look.set()

    async def feed(self) -> None:
        """Claim and begin attempts whenever there is reason to, for ever."""
        self._look.set()
        while True:
            await self._look.wait()
            self._look.clear()
            try:
                # In the background: a worker that is told to end waits for what is being claimed.
                await self._background(self._fill())
            except UNREACHABLE as error:
                logger.warning("nothing can be claimed: %s", str(error).splitlines()[0])
                asyncio.get_running_loop().call_later(PAUSE, self._look.set)
            if not self.tools.calling.holds():
                asyncio.get_running_loop().call_later(PAUSE, self._look.set)
            self._set_gate()

    async def drain(self, grace: float) -> None:
        """Claim nothing more; what still runs after `grace` seconds is handed in, to be repeated elsewhere."""
        self.tools.backlog.is_closed = True
        self._set_gate()
        self._leave(len(self.tools.ahead))
        if self._running:
            await asyncio.wait(self._running, timeout=grace)
        for attempt in list(self.tools.held.values()):
            attempt.hand_in()
        if self._running:
            await asyncio.wait(self._running, timeout=grace)

    def _free(self) -> int:
        """Slots for which nothing is claimed."""
        return max(0, self.tools.pool.free - len(self.tools.ahead)) if self._may_claim() else 0

    def _may_claim(self) -> bool:
        """Not once told to end; nor in a name that others may have taken for dead: it would only be taken back."""
        return not self.tools.backlog.is_closed and self.tools.calling.holds()

    def _room(self) -> int:
        """How many attempts to claim now: with free slots always, ahead only when half of that is used up."""
        free, ahead = self._free(), len(self.tools.ahead)
        if not (self._may_claim() and self.tools.backlog.may_hold):
            return 0
        if self.waiting.is_crowded:
            return min(1, free)
        target = self.tools.places_ahead
        return free + target if free else target - ahead if 2 * ahead <= target else 0

    def _set_gate(self) -> None:
        if self.consumer is not None:
            (self.consumer.open if self._free() else self.consumer.shut)()

    async def _fill(self) -> None:
        if self._unanswered is not None and self.tools.calling.holds():
            # The reply to the last claim was lost; it may have taken effect.
            self._hold(await self.tools.store.claimed_by(self._unanswered))
            self._answered(self._unanswered)
        while most := self._room():
            told = self.tools.backlog.told
            if self._hinted_at:
                # What the first attempts must know is asked while they are claimed: somebody may wait for them.
                self._background(self._ask_ahead(self._hinted_at))
                self._hinted_at = []
            tasks, more = await self._claim(most)
            self._hold(tasks)
            if not more:
                self._exhausted(told)
                break
            await asyncio.sleep(0)  # what was claimed gets its turn before more is asked for
        self.tools.aftermath.hint(self.tools.hints, (attempt.task for attempt in self.tools.held.values()))

    def _exhausted(self, told: int) -> None:
        if not self.waiting.is_crowded:
            self.tools.backlog.exhausted(told)
            self.tools.aftermath.nothing_claimable(self.queues)

    async def _claim(self, most: int) -> tuple[list[Document], bool]:
        """Some attempts, and whether there may be more."""
        store, operation = self.tools.store, new_id()
        only = self.waiting.awaited() if self.waiting.is_crowded else None
        self._unanswered = operation
        self.tools.asked.add(operation)
        # Who holds nothing takes the first in one round trip: it may be all there is, and somebody waits for it.
        if most > 1 and self.tools.held:
            tasks, more = await store.claim_several(self.queues, operation, most)
        else:
            task = await store.claim(self.queues, operation, only)
            tasks, more = ([], False) if task is None else ([task], True)
        self._answered(operation)
        return tasks, more

    def _answered(self, operation: str) -> None:
        self._unanswered = None
        self.tools.asked.discard(operation)

    def _hold(self, tasks: Sequence[Document]) -> None:
        """Take over what was claimed, and begin as much of it as there are slots."""
        for task in tasks:
            self.tools.aftermath.queued.pop(task["_id"], None)
            attempt = Attempt(task, self.tools)
            if self.tools.store.is_mine(task):
                self.tools.held[attempt.id] = attempt
                self.tools.ahead.append((asyncio.get_running_loop().time(), attempt))
            else:
                # The lease was lost while the claim was under way: it is in a name whose attempts are taken back.
                self._background(attempt.hand_back(None))
        if self.tools.backlog.is_closed:
            self._leave(len(self.tools.ahead))
        self._begin_ahead()
        if self.tools.ahead:
            self._background(self._ask_ahead([attempt.task["dag_run"] for _, attempt in self.tools.ahead]))

    async def _ask_ahead(self, dag_runs: Sequence[str]) -> None:
        try:
            await self.tools.knowledge.ask_ahead(dag_runs)
        except (*UNREACHABLE, ValueError) as error:  # the latter for ids that nobody but a forger makes
            logger.debug("each attempt will ask for itself: %s", error)

    def _begin_ahead(self) -> None:
        while self.tools.ahead and self.tools.pool.free:
            _, attempt = self.tools.ahead.popleft()
            self.tools.begun.add(attempt.claim)
            attempt.take_slot()
            self._background(self._run(attempt))
        if self.tools.ahead and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(PATIENCE, self._leave_late)

    def _leave_late(self) -> None:
        """Leave to others what has waited too long for a slot: some attempt takes its time."""
        self._timer = None
        until = asyncio.get_running_loop().time() - PATIENCE
        self._leave(sum(since <= until for since, _ in self.tools.ahead))
        self._begin_ahead()

    def _leave(self, count: int) -> None:
        """Give back the oldest of what is held and has no slot."""
        for _ in range(count):
            _, attempt = self.tools.ahead.popleft()
            self._background(self._give_back(attempt))

    async def _give_back(self, attempt: Attempt) -> None:
        try:
            await attempt.hand_back(attempt.stopping)
        finally:
            self._let_go(attempt)

    def _let_go(self, attempt: Attempt) -> None:
        # The same task may be this worker's again by now, as another attempt.
        if self.tools.held.get(attempt.id) is attempt:
            del self.tools.held[attempt.id]

    def _background(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        running = asyncio.create_task(work)
        self._running.add(running)
        running.add_done_callback(self._running.discard)
        return running

    async def _pass_on(self, ids: list[str]) -> None:
        try:
            queues = await self.tools.store.queues_of(ids)
        except UNREACHABLE as error:
            logger.warning("a hint is left to the sweep: %s", str(error).splitlines()[0])
            return
        for queue in queues:
            self.tools.hints.send(Service.TASK_WORKER, queue, ids)

    async def _run(self, attempt: Attempt) -> None:
        successor = None
        try:
            executed = await attempt.execute()
            attempt.give_slot()
            if executed is not None:
                successor = await attempt.end(executed)
        except Exception:
            # What is recorded in this worker's name and not run by it is ended at the next renewal.
            logger.exception("the attempt of %s broke off", attempt.id)
        finally:
            self._let_go(attempt)
            attempt.give_slot()
        if successor is not None:
            self._hold([successor])
        if self.tools.aftermath.queued:
            self.tools.backlog.hinted()
        self._look.set()
