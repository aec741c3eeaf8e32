"""The worker's proof of life, and what it learns at each renewal."""

import asyncio
import logging
from collections.abc import Set
from dataclasses import dataclass

from lightflow.core.ids import new_id
from lightflow.core.outcomes import Ending, ErrorInfo, Outcome
from lightflow.core.states import Service
from lightflow.runtime.membership import Membership
from lightflow.runtime.mongo import Document
from lightflow.runtime.process import UNREACHABLE
from lightflow.runtime.takeback import TakeBack
from lightflow_task_worker.attempt import Attempt, Tools

BROKEN_OFF = Outcome(Ending.LOST, ErrorInfo("AttemptLost", "the attempt broke off in its worker, whose log says why"))

logger = logging.getLogger(__name__)


@dataclass
class Lease:
    """Renews the lease, and keeps what this worker runs and what is recorded in its name equal."""

    membership: Membership
    tools: Tools
    take_back: TakeBack
    _forgotten: Set[tuple[str, str]] = frozenset()

    @property
    def is_good(self) -> bool:
        """Whether nobody can have taken this worker for dead."""
        return self.membership.since_renewal() < self.tools.settings.engine.self_fence

    async def keep(self) -> None:
        """Renew for ever; a worker that could not for too long ends what it runs, because others may run it by now."""
        while True:
            await asyncio.sleep(self.tools.settings.engine.lease_interval)
            try:
                await self._renew()
            except UNREACHABLE as error:
                logger.warning("the lease was not renewed: %s", str(error).splitlines()[0])
            if not self.is_good:
                self._let_go("its lease could not be renewed in time")

    async def look(self) -> None:
        """Read the stop facts of what this worker runs, and pass them on."""
        attempts = dict(self.tools.held)
        if attempts:
            facts = await self.tools.knowledge.facts.stop_facts(attempt.task for attempt in attempts.values())
            for name, attempt in attempts.items():
                attempt.tell(facts[name])

    async def _renew(self) -> None:
        was_good = self.is_good
        document = await self.membership.renew(
            running=len(self.tools.held), process_pids=self.tools.pool.process_pids()
        )
        if document is None or not was_good:
            self._let_go("its lease was lost")
            await self._be_reborn()
            return
        await self._compare()
        await self.look()

    async def _be_reborn(self) -> None:
        """Enter under a new name; what the old one held is taken back."""
        old = self.membership.member.incarnation
        self.membership.member.incarnation = new_id()
        await self.membership.enter()
        await self.take_back.from_dead(old)

    async def _compare(self) -> None:
        """Give back attempts recorded in this worker's name that it does not run; end those that are not recorded."""
        # Read in between: what is claimed meanwhile is not recorded yet, and what is committed is no longer run.
        ran = dict(self.tools.held)
        recorded = {(task["_id"], task["claim"]): task for task in await self.tools.store.held()}
        running = {attempt.claim for attempt in self.tools.held.values()}
        self.tools.begun.intersection_update(recorded.keys() | running)
        # A claim whose reply is on its way is recorded and not yet running: only what is so twice in a row was lost.
        forgotten = {claim for claim in recorded.keys() - running if claim[1] not in self.tools.asked}
        for claim in forgotten & self._forgotten:
            await self._end_forgotten(claim, recorded[claim])
        self._forgotten = forgotten
        for attempt in ran.values():
            if attempt.claim not in recorded:
                await self._end_if_taken(attempt)

    async def _end_forgotten(self, claim: tuple[str, str], task: Document) -> None:
        if claim in self.tools.begun:
            await self.take_back.end(task, BROKEN_OFF)
        else:
            # The reply to its claim was lost for good.
            await self.tools.store.hand_back(task, None)
            self.take_back.hints.send(Service.TASK_WORKER, task["queue"], [task["_id"]])

    async def _end_if_taken(self, attempt: Attempt) -> None:
        # It may have been committed a moment ago: only one that was not, and is still here, is superseded.
        if not await self.tools.store.is_committed(attempt.task) and self.tools.held.get(attempt.id) is attempt:
            attempt.supersede()

    def _let_go(self, why: str) -> None:
        for attempt in list(self.tools.held.values()):
            logger.error("%s is ended here: %s", attempt.id, why)
            attempt.supersede()
