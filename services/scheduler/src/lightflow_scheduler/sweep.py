"""The scheduler's part of the sweep: runs that a look is due for."""

from dataclasses import dataclass

from lightflow.core.states import Service
from lightflow.runtime.hints import Hints
from lightflow.runtime.mongo import Document
from lightflow.runtime.queues import Queues

AT_ONCE = 1000

_AS_RUN: Document = {"$project": {"_id": 0, "kind": {"$literal": "run"}, "queue": 1, "run": "$_id"}}


@dataclass(frozen=True, slots=True)
class RunSweep:
    """Finds runs whose hint was lost.

    `served` are the queues of this scheduler. What waits in others is left to those who serve them, and never keeps it
    from its own, however much that is. One that is asked to stop may wait in a queue that nobody serves: any scheduler
    ends it.
    """

    hints: Hints
    queues: Queues
    served: tuple[str, ...]

    def questions(self) -> list[tuple[str, list[Document]]]:
        """What to ask in the one command of a sweep: (collection, pipeline)."""
        served, others = {"$in": list(self.served)}, {"$nin": list(self.served)}
        asked: Document = {"$gt": ""}
        return [
            ("runs", _due(queue=served)),
            ("runs", _due(queue=others, reason=asked)),
            # An index tells each run once, however many of its DAG runs are marked.
            ("dag_runs", _marked({}, served)),
            ("dag_runs", _marked({"stop": asked}, others)),
        ]

    async def act(self, found: list[Document], redis_forgot: bool) -> None:
        """Hint again at what was found, where no hint waits already."""
        by_queue: dict[str, list[str]] = {}
        for document in found:
            queue = document["queue"] if document["queue"] in self.served else self.served[0]
            by_queue.setdefault(queue, []).append(document["run"])
        for queue, runs in by_queue.items():
            if redis_forgot or await self.queues.is_empty(Service.SCHEDULER, queue):
                self.hints.send(Service.SCHEDULER, queue, runs)


def _due(**match: Document) -> list[Document]:
    return [{"$match": {"dirty": {"$exists": True}, **match}}, {"$limit": AT_ONCE}, _AS_RUN]


def _marked(match: Document, queue: Document) -> list[Document]:
    return [
        {"$match": {"marked": True, **match}},
        {"$sort": {"run": 1}},
        {"$group": {"_id": "$run", "queue": {"$first": "$run_queue"}}},
        {"$match": {"queue": queue}},
        {"$limit": AT_ONCE},
        _AS_RUN,
    ]
