"""Who waits for whom in a run, as its document records it: no two may wait for each other."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from pymongo import ReturnDocument

from lightflow.core import joins
from lightflow.core.errors import JoinImpossible, RunUnknown
from lightflow.core.states import State
from lightflow.runtime.mongo import Database, Document


class Joining:
    """Keeps the list of joins in the document of a run. A join is {request, caller, names}."""

    def __init__(self, db: Database) -> None:
        self._runs = db["runs"]
        self._task_runs = db["task_runs"]

    @contextlib.asynccontextmanager
    async def recorded(self, run_id: str, join: Document) -> AsyncIterator[None]:
        """Have a join on the run's list for as long as the block lasts; raises JoinImpossible for one in a circle."""
        try:
            await self._check(await self._enter(run_id, join), join["request"])
            yield
        finally:
            await asyncio.shield(asyncio.ensure_future(self._leave(run_id, join["request"])))

    async def _enter(self, run_id: str, join: Document) -> list[Document]:
        """Enter a join; the list as it is then, in the order of entering."""
        is_other: Document = {"$ne": ["$$this.request", {"$literal": join["request"]}]}
        if (attempt := joins.attempt_of(join["request"])) is not None:
            # What an earlier attempt of the same task waited for, nobody waits for any more.
            is_other = {"$ne": [{"$indexOfBytes": ["$$this.request", {"$literal": f"{attempt[0]}/"}]}, 0]}
        others = {"$filter": {"input": {"$ifNull": ["$joins", []]}, "cond": is_other}}
        update = [{"$set": {"joins": {"$concatArrays": [others, [{"$literal": join}]]}}}]
        run = await self._runs.find_one_and_update(
            {"_id": run_id}, update, projection={"joins": 1}, return_document=ReturnDocument.AFTER
        )
        if run is None:
            raise RunUnknown(run_id)
        return list(run["joins"])

    async def _check(self, recorded: list[Document], request: str) -> None:
        try:
            joins.check(recorded, request)
        except JoinImpossible:
            joins.check(await self._living(recorded, request), request)

    async def _living(self, recorded: list[Document], request: str) -> list[Document]:
        """The joins without those whose attempt is over: who served such a one ended before it came off the list."""
        attempts = {join["request"]: joins.attempt_of(join["request"]) for join in recorded}
        tasks = [attempt[0] for attempt in attempts.values() if attempt is not None]
        running = {"_id": {"$in": tasks}, "state": State.RUNNING}
        found = self._task_runs.find(running, {"count": {"$size": "$attempts"}})
        alive = {None, *[(task["_id"], task["count"]) async for task in found]}
        return [join for join in recorded if join["request"] == request or attempts[join["request"]] in alive]

    async def _leave(self, run_id: str, request: str) -> None:
        await self._runs.update_one({"_id": run_id}, {"$pull": {"joins": {"request": request}}})
