"""The living processes of the system, and asking them to stop."""

from lightflow.control.v1 import control_pb2 as pb
from lightflow.core.errors import WorkerUnknown
from lightflow.runtime.mongo import Document
from lightflow_scheduler import messages, paging
from lightflow_scheduler.collaborators import Collaborators


class WorkersView:
    """Lists and stops workers."""

    def __init__(self, with_: Collaborators) -> None:
        self._workers = with_.db["workers"]
        self._alive = with_.alive
        self._notifier = with_.notifier

    async def page(self, request: pb.ListWorkersRequest) -> pb.ListWorkersResponse:
        """A page of the living ones, of these queues where some are named."""
        size, queues = paging.size_of(request.page_size), set(request.queues)
        living = [each for each in await self._living() if not queues or queues & set(each["queues"])]
        shown, token = paging.page(living, lambda each: str(each["_id"]), size, request.page_token)
        return pb.ListWorkersResponse(workers=map(messages.worker, shown), next_page_token=token)

    async def stop(self, request: pb.StopWorkersRequest) -> pb.StopWorkersResponse:
        """Ask workers to stop, all where none is named. Raises WorkerUnknown before any is asked."""
        living = {worker["_id"]: worker for worker in await self._living()}
        wanted = list(dict.fromkeys(request.ids)) or list(living)
        for worker in wanted:
            if worker not in living:
                raise WorkerUnknown(worker)
        await self._workers.update_many({"_id": {"$in": wanted}}, {"$set": {"stop": True}})
        for worker in wanted:
            await self._notifier.publish("worker", worker=worker)
        return pb.StopWorkersResponse(stopped=[messages.worker(living[worker] | {"stop": True}) for worker in wanted])

    async def _living(self) -> list[Document]:
        return [worker async for worker in self._workers.find() if self._alive(worker)]
