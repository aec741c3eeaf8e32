"""The scheduler's part of the sweep: runs that a look is due for."""

from dataclasses import dataclass

from lightflow.core.states import Service
from lightflow.runtime.hints import Hints
from lightflow.runtime.mongo import Document
from lightflow.runtime.queues import Queues

AT_ONCE = 1000


@dataclass(frozen=True, slots=True)
class RunSweep:
    """Finds runs whose hint was lost."""

    hints: Hints
    queues: Queues

    def questions(self) -> list[tuple[str, list[Document]]]:
        """What to ask in the one command of a sweep: (collection, pipeline)."""
        kind = {"$literal": "run"}
        dirty: list[Document] = [{"$match": {"dirty": {"$exists": True}}}, {"$limit": AT_ONCE}]
        marked: list[Document] = [{"$match": {"marked": True}}, {"$limit": AT_ONCE}]
        return [
            ("runs", [*dirty, {"$project": {"_id": 0, "kind": kind, "queue": 1, "run": "$_id"}}]),
            ("dag_runs", [*marked, {"$project": {"_id": 0, "kind": kind, "queue": "$run_queue", "run": 1}}]),
        ]

    async def act(self, found: list[Document], redis_forgot: bool) -> None:
        """Hint again at what was found, where no hint waits already."""
        by_queue: dict[str, list[str]] = {}
        for document in found:
            by_queue.setdefault(document["queue"], []).append(document["run"])
        for queue, runs in by_queue.items():
            if redis_forgot or await self.queues.is_empty(Service.SCHEDULER, queue):
                self.hints.send(Service.SCHEDULER, queue, runs)
