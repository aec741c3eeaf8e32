"""The scheduler's part of the sweep: runs that a look is due for."""

from dataclasses import dataclass

from lightflow.core.states import Service
from lightflow.runtime.hints import Hints
from lightflow.runtime.mongo import Document
from lightflow.runtime.queues import Queues

AT_ONCE = 1000


@dataclass(frozen=True, slots=True)
class RunSweep:
    """Finds runs whose hint was lost.

    `served` are the queues of this scheduler. What waits in others is left to those who serve them, and never keeps it
    from its own, however much that is.
    """

    hints: Hints
    queues: Queues
    served: tuple[str, ...]

    def questions(self) -> list[tuple[str, list[Document]]]:
        """What to ask in the one command of a sweep: (collection, pipeline)."""
        served = {"queue": {"$in": list(self.served)}}
        run: Document = {"$project": {"_id": 0, "kind": {"$literal": "run"}, "queue": 1, "run": "$_id"}}
        dirty: list[Document] = [{"$match": {"dirty": {"$exists": True}, **served}}, {"$limit": AT_ONCE}]
        # An index tells each run once, however many of its DAG runs are marked.
        marked: list[Document] = [
            {"$match": {"marked": True}},
            {"$sort": {"run": 1}},
            {"$group": {"_id": "$run", "queue": {"$first": "$run_queue"}}},
            {"$match": served},
            {"$limit": AT_ONCE},
        ]
        return [("runs", [*dirty, run]), ("dag_runs", [*marked, run])]

    async def act(self, found: list[Document], redis_forgot: bool) -> None:
        """Hint again at what was found, where no hint waits already."""
        by_queue: dict[str, list[str]] = {}
        for document in found:
            by_queue.setdefault(document["queue"], []).append(document["run"])
        for queue, runs in by_queue.items():
            if redis_forgot or await self.queues.is_empty(Service.SCHEDULER, queue):
                self.hints.send(Service.SCHEDULER, queue, runs)
