"""The dag-runner's part of the sweep: hints that were lost, attempts whose worker is gone."""

from collections.abc import Iterable
from dataclasses import dataclass

from lightflow.core.states import Service
from lightflow.runtime.hints import Hints
from lightflow.runtime.mongo import Document
from lightflow.runtime.queues import Queues

AT_ONCE = 1000

_CLAIMABLE: Document = {"state": "queued", "$expr": {"$lte": ["$ready_at", "$$NOW"]}}


@dataclass(frozen=True, slots=True)
class DagSweep:
    """Finds DAG runs that a look is due for, and queues whose attempts nobody was hinted at.

    `served` are the queues of this dag-runner. What waits in others is left to those who serve them, and never keeps it
    from its own, however much that is. One that is asked to stop may wait in a queue that nobody serves: any dag-runner
    ends it.
    """

    hints: Hints
    queues: Queues
    served: tuple[str, ...]

    def questions(self) -> list[tuple[str, list[Document]]]:
        """What to ask in the one command of a sweep: (collection, pipeline)."""
        dirty, served = {"dirty": {"$exists": True}}, list(self.served)
        due = _ask("due", dirty | {"queue": {"$in": served}}, {"queue": 1, "id": "$_id"})
        stopping = _ask("stopping", dirty | {"queue": {"$nin": served}, "stop": {"$gt": ""}}, {"id": "$_id"})
        return [("dag_runs", due), ("dag_runs", stopping), ("task_runs", _marked(served)), ("task_runs", _queued())]

    async def act(self, found: list[Document], redis_forgot: bool) -> None:
        """Hint again at what was found, where no hint waits already."""
        wanted: dict[tuple[Service, str], list[str]] = {}
        for document in found:
            service = Service.TASK_WORKER if document["kind"] == "queued" else Service.DAG_RUNNER
            queue = document.get("queue", self.served[0])
            wanted.setdefault((service, queue), []).append(document["id"])
        for (service, queue), ids in wanted.items():
            if redis_forgot or await self.queues.is_empty(service, queue):
                self.hints.send(service, queue, ids)


def _ask(kind: str, match: Document, fields: Document) -> list[Document]:
    return [{"$match": match}, {"$limit": AT_ONCE}, _as(kind, fields)]


def _as(kind: str, fields: Document) -> Document:
    return {"$project": {"_id": 0, "kind": {"$literal": kind}, **fields}}


def _marked(served: Iterable[str]) -> list[Document]:
    """The DAG runs of which a task ended unseen: an index tells each of them once, however many tasks it were."""
    return [
        {"$match": {"marked": True}},
        {"$sort": {"dag_run": 1}},
        {"$group": {"_id": "$dag_run", "queue": {"$first": "$dag_queue"}}},
        {"$match": {"queue": {"$in": served}}},
        {"$limit": AT_ONCE},
        _as("marked", {"queue": 1, "id": "$_id"}),
    ]


def _queued() -> list[Document]:
    """Attempts that may be claimed, of each queue some: a crowd in a queue that nobody serves hides no other."""
    some = [{"$match": _CLAIMABLE}, {"$limit": AT_ONCE}, {"$project": {"_id": 1}}]
    of_queue = {"from": "task_runs", "localField": "_id", "foreignField": "queue", "pipeline": some, "as": "found"}
    return [
        {"$match": {"state": "queued"}},
        {"$group": {"_id": "$queue"}},
        {"$lookup": of_queue},
        {"$unwind": "$found"},
        _as("queued", {"queue": "$_id", "id": "$found._id"}),
    ]
