"""The dag-runner's part of the sweep: hints that were lost, attempts whose worker is gone."""

from dataclasses import dataclass

from lightflow.core.states import Service
from lightflow.runtime.hints import Hints
from lightflow.runtime.mongo import Document
from lightflow.runtime.queues import Queues

AT_ONCE = 1000

_CLAIMABLE: Document = {"state": "queued", "$expr": {"$lte": ["$ready_at", "$$NOW"]}}


def _ask(kind: str, match: Document, fields: Document) -> list[Document]:
    project = {"$project": {"_id": 0, "kind": {"$literal": kind}, **fields}}
    return [{"$match": match}, {"$limit": AT_ONCE}, project]


@dataclass(frozen=True, slots=True)
class DagSweep:
    """Finds DAG runs that a look is due for, and queues whose attempts nobody was hinted at.

    `served` are the queues of this dag-runner. One that is asked to stop may wait in a queue that nobody serves: any
    dag-runner ends it.
    """

    hints: Hints
    queues: Queues
    served: tuple[str, ...]

    def questions(self) -> list[tuple[str, list[Document]]]:
        """What to ask in the one command of a sweep: (collection, pipeline)."""
        return [
            ("dag_runs", _ask("dirty", {"dirty": {"$exists": True}}, {"queue": 1, "id": "$_id", "stop": 1})),
            ("task_runs", _ask("marked", {"marked": True}, {"queue": "$dag_queue", "id": "$dag_run"})),
            ("task_runs", _ask("queued", _CLAIMABLE, {"queue": 1, "id": "$_id"})),
        ]

    async def act(self, found: list[Document], redis_forgot: bool) -> None:
        """Hint again at what was found, where no hint waits already."""
        wanted: dict[tuple[Service, str], list[str]] = {}
        for document in found:
            service = Service.TASK_WORKER if document["kind"] == "queued" else Service.DAG_RUNNER
            queue = document["queue"]
            if document.get("stop") and queue not in self.served:
                queue = self.served[0]
            wanted.setdefault((service, queue), []).append(document["id"])
        for (service, queue), ids in wanted.items():
            if redis_forgot or await self.queues.is_empty(service, queue):
                self.hints.send(service, queue, ids)
