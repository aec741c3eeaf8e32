"""Nothing grows for ever: what runs leave is removed some time after their end, and versions that nothing uses."""

import asyncio
import logging
from dataclasses import dataclass

from pymongo.errors import PyMongoError

from lightflow.core.states import FINAL
from lightflow.runtime.datastore.mongo import RunStore
from lightflow.runtime.logs import remove_logs
from lightflow.runtime.mongo import Database, Document
from lightflow.runtime.payloads import Payloads, collect_orphans
from lightflow_scheduler.collaborators import Collaborators

HOUR = 3600.0
DAY_MS = 86_400_000
AT_ONCE = 1000

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Pruned:
    """How many runs and versions were removed."""

    runs: int
    versions: int


@dataclass(frozen=True, slots=True)
class Retention:
    """Keeps runs for `days` after their end, with their outputs, logs and kept data."""

    db: Database
    payloads: Payloads
    data: RunStore
    days: float

    async def keep(self) -> None:
        """Prune now and every hour, for ever; any number of schedulers may."""
        while True:
            try:
                await self.prune(self.days)
            except PyMongoError as error:
                logger.warning("not all was pruned, the rest will be in an hour: %s", str(error).splitlines()[0])
            await asyncio.sleep(HOUR)

    async def prune(self, days: float) -> Pruned:
        """Remove what ended more than this many days ago. Broken off, it is finished by the next call."""
        runs = 0
        while found := await self._ended(days):
            for run in found:
                await self._remove(run)
            runs += len(found)
        versions = await self._remove_versions(days)
        await collect_orphans(self.payloads, self.db)
        if runs or versions:
            logger.info("pruned %d runs and %d versions", runs, versions)
        return Pruned(runs, versions)

    async def _ended(self, days: float) -> list[str]:
        final = {"state": {"$in": [state.value for state in FINAL]}, "dirty": {"$exists": False}}
        ended = final | _before("finished_at", days)
        return [run["_id"] async for run in self.db["runs"].find(ended, {"_id": 1}).limit(AT_ONCE)]

    async def _remove(self, run: str) -> None:
        """Remove all of a run, its own document last: as long as that is there, the rest is found again."""
        for section in ("data", "meta"):
            await self.data.remove_data(run, section)
        await remove_logs(self.db, run)
        await self.payloads.remove(run)
        await self.db["task_runs"].delete_many({"run": run})
        await self.db["dag_runs"].delete_many({"run": run})
        await self.db["runs"].delete_one({"_id": run})

    async def _remove_versions(self, days: float) -> int:
        """Remove versions that are not deployed, were not loaded lately, and that no run has."""
        unused: list[Document] = [
            {"$match": _before("loaded_at", days)},
            {"$lookup": {"from": "deployments", "as": "deployed", **_OF_THIS_VERSION}},
            {"$lookup": {"from": "runs", "as": "runs", **_OF_THIS_VERSION}},
            {"$match": {"deployed": [], "runs": []}},
            {"$project": {"loaded_at": 1}},
        ]
        removed = 0
        async for version in await self.db["workflows"].aggregate(unused):
            # Loaded again a moment ago, it stays.
            gone = await self.db["workflows"].delete_one(version)
            if gone.deleted_count:
                await self.payloads.remove(f"version:{version['_id']}")
            removed += gone.deleted_count
        return removed


def retention_of(with_: Collaborators) -> Retention:
    """The retention of a control service's system."""
    return Retention(with_.db, with_.payloads, with_.store, with_.retention_days)


_OF_THIS_VERSION: Document = {
    "localField": "_id",
    "foreignField": "version",
    "pipeline": [{"$limit": 1}, {"$project": {"_id": 1}}],
}


def _before(field: str, days: float) -> Document:
    return {field: {"$ne": None}, "$expr": {"$lt": [f"${field}", {"$subtract": ["$$NOW", round(days * DAY_MS)]}]}}
