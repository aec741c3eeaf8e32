"""The sweep: recovery that is always on. It finds what hints missed and what lost its worker.

Any number of processes may sweep. All that a sweep wants to know of MongoDB it asks in one command, so that a system
at rest costs a fraction of a command a second.
"""

import asyncio
import logging
from dataclasses import dataclass
from typing import Protocol

from pymongo.errors import PyMongoError
from redis.exceptions import RedisError

from lightflow.core.leases import LeaseWatch
from lightflow.runtime.consumer_watch import ConsumerWatch
from lightflow.runtime.mongo import Database, Document
from lightflow.runtime.process import UNREACHABLE
from lightflow.runtime.queues import Queues
from lightflow.runtime.takeback import TakeBack

HOLDERS: list[Document] = [
    {"$match": {"state": "running"}},
    {"$group": {"_id": "$holder"}},
    {"$project": {"kind": {"$literal": "holder"}}},
]

logger = logging.getLogger(__name__)


class Part(Protocol):
    """What one service looks for in its sweeps."""

    def questions(self) -> list[tuple[str, list[Document]]]:
        """(collection, pipeline) pairs; each document they yield has a `kind`."""
        ...

    async def act(self, found: list[Document], redis_forgot: bool) -> None:
        """Deal with what was found."""
        ...


@dataclass
class Sweep:
    """Sweeps every `interval` seconds."""

    db: Database
    queues: Queues
    part: Part
    leases: LeaseWatch
    take_back: TakeBack
    consumer_watch: ConsumerWatch
    interval: float

    async def run(self) -> None:
        """Sweep for ever; what could not be reached now is asked again at the next sweep."""
        while True:
            try:
                await self.once()
            except (PyMongoError, *UNREACHABLE) as error:
                self.leases.interrupt()
                logger.warning("the sweep was cut short: %s", str(error).splitlines()[0])
            await asyncio.sleep(self.interval)

    async def once(self) -> None:
        """One sweep."""
        # Apart from the rest: it asks redis alone, and may not depend on MongoDB's answers.
        await self.consumer_watch.check_or_tell()
        found = await self._ask()
        await self._end_lost_leases(found.pop("worker", []), found.pop("holder", []))
        try:
            await self.part.act([document for kind in found.values() for document in kind], await self.queues.forgot())
        except RedisError as error:
            logger.warning("redis could not be asked, the next sweep will: %s", error)

    async def _ask(self) -> dict[str, list[Document]]:
        pipeline: list[Document] = [{"$project": {"beat": 1, "dead": 1, "kind": {"$literal": "worker"}}}]
        for collection, question in (("task_runs", HOLDERS), *self.part.questions()):
            pipeline.append({"$unionWith": {"coll": collection, "pipeline": question}})
        found: dict[str, list[Document]] = {}
        async for document in await self.db["workers"].aggregate(pipeline, batchSize=10_000):
            found.setdefault(document["kind"], []).append(document)
        return found

    async def _end_lost_leases(self, workers: list[Document], holders: list[Document]) -> None:
        # A holder that is in no list counts as a worker that never beats: it was removed while it was paused.
        beats = {holder["_id"]: -1 for holder in holders} | {worker["_id"]: worker["beat"] for worker in workers}
        lost = self.leases.observe(beats, asyncio.get_running_loop().time())
        declared = {worker["_id"] for worker in workers if "dead" in worker}
        for incarnation in sorted(lost | declared):
            await self.take_back.from_dead(incarnation)
