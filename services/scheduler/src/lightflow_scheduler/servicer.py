# ruff: noqa: N802  the methods are named as the contract names its calls
"""The control service: each call of the contract, handed to the part that answers it. Nothing is kept between calls."""

from collections.abc import AsyncIterable, AsyncIterator
from typing import Any

from bson.errors import InvalidDocument
from pymongo import ASCENDING, DESCENDING, IndexModel
from pymongo.errors import DocumentTooLarge, PyMongoError
from redis.exceptions import RedisError

from lightflow.control.v1 import control_pb2 as pb
from lightflow.control.v1 import control_pb2_grpc
from lightflow.core.errors import InvalidRequest, ServiceUnavailable
from lightflow_scheduler import messages, values
from lightflow_scheduler.collaborators import Collaborators
from lightflow_scheduler.data import Data
from lightflow_scheduler.retention import retention_of
from lightflow_scheduler.runs import Runs
from lightflow_scheduler.signals import Signals
from lightflow_scheduler.tasks import Tasks
from lightflow_scheduler.watching import Watching
from lightflow_scheduler.workers_view import WorkersView
from lightflow_scheduler.workflows import Workflows

Context = Any
DAY = 86_400.0


class ControlServicer(control_pb2_grpc.ControlServiceServicer):
    """Any replica answers any call: what is true lies in MongoDB."""

    def __init__(self, collaborators: Collaborators) -> None:
        self._workflows = Workflows(collaborators)
        self._runs = Runs(collaborators, self._workflows)
        self._tasks = Tasks(collaborators, self._runs)
        self._signals = Signals(collaborators, self._runs, self._workflows)
        self._data = Data(collaborators, self._runs)
        self._watching = Watching(collaborators, self._runs, self._tasks)
        self._workers = WorkersView(collaborators)
        self._retention = retention_of(collaborators)

    # Runs

    async def StartRun(self, request: pb.StartRunRequest, _: Context) -> pb.StartRunResponse:
        return await self._runs.start(request)

    async def StopRun(self, request: pb.StopRunRequest, _: Context) -> pb.StopRunResponse:
        return pb.StopRunResponse(run=messages.run(await self._runs.stop(request)))

    async def GetRun(self, request: pb.GetRunRequest, _: Context) -> pb.GetRunResponse:
        return pb.GetRunResponse(run=await self._tasks.run(request.run_id, request.history))

    async def ListRuns(self, request: pb.ListRunsRequest, _: Context) -> pb.ListRunsResponse:
        return await self._runs.page(request)

    async def WatchRun(self, request: pb.WatchRunRequest, _: Context) -> AsyncIterator[pb.WatchRunResponse]:
        async for response in self._watching.run(request.run_id):
            yield response

    async def WaitRun(self, request: pb.WaitRunRequest, _: Context) -> pb.WaitRunResponse:
        return await self._watching.until_final(request)

    async def ListTasks(self, request: pb.ListTasksRequest, _: Context) -> pb.ListTasksResponse:
        return await self._tasks.page(request)

    async def GetResult(self, request: pb.GetResultRequest, _: Context) -> AsyncIterator[pb.GetResultResponse]:
        for response in values.results(pb.Value.ENCODING_PICKLE, await self._tasks.result(request)):
            yield response

    # Workflows

    async def ListWorkflows(self, request: pb.ListWorkflowsRequest, _: Context) -> pb.ListWorkflowsResponse:
        return await self._workflows.page(request)

    async def GetWorkflow(self, request: pb.GetWorkflowRequest, _: Context) -> pb.GetWorkflowResponse:
        return pb.GetWorkflowResponse(workflow=await self._workflows.get(request))

    async def UploadWorkflow(
        self, requests: AsyncIterable[pb.UploadWorkflowRequest], _: Context
    ) -> pb.UploadWorkflowResponse:
        return pb.UploadWorkflowResponse(upload=await self._workflows.upload(requests))

    async def DeployWorkflow(self, request: pb.DeployWorkflowRequest, _: Context) -> pb.DeployWorkflowResponse:
        return pb.DeployWorkflowResponse(workflow=await self._workflows.deploy(request))

    async def UndeployWorkflow(self, request: pb.UndeployWorkflowRequest, _: Context) -> pb.UndeployWorkflowResponse:
        await self._workflows.undeploy(request.name)
        return pb.UndeployWorkflowResponse()

    # Signals

    async def StartDag(self, request: pb.StartDagRequest, _: Context) -> pb.StartDagResponse:
        return pb.StartDagResponse(name=await self._signals.start_dag(request))

    async def JoinDags(self, request: pb.JoinDagsRequest, _: Context) -> pb.JoinDagsResponse:
        await self._signals.join_dags(request)
        return pb.JoinDagsResponse()

    async def StopDag(self, request: pb.StopDagRequest, _: Context) -> pb.StopDagResponse:
        await self._signals.stop_dag(request)
        return pb.StopDagResponse()

    async def WatchStop(self, request: pb.WatchStopRequest, _: Context) -> AsyncIterator[pb.WatchStopResponse]:
        async for stopping in self._signals.watch_stop(request):
            yield pb.WatchStopResponse(stopping=stopping)

    # Data

    async def GetData(self, request: pb.GetDataRequest, _: Context) -> AsyncIterator[pb.GetDataResponse]:
        for response in values.found(await self._data.get(request.key)):
            yield response

    async def SetData(self, requests: AsyncIterable[pb.SetDataRequest], _: Context) -> pb.SetDataResponse:
        await self._data.set(requests)
        return pb.SetDataResponse()

    async def PushData(self, requests: AsyncIterable[pb.PushDataRequest], _: Context) -> pb.PushDataResponse:
        await self._data.push(requests)
        return pb.PushDataResponse()

    async def ExtendData(self, requests: AsyncIterable[pb.ExtendDataRequest], _: Context) -> pb.ExtendDataResponse:
        await self._data.extend(requests)
        return pb.ExtendDataResponse()

    # Watching

    async def WatchEvents(self, request: pb.WatchEventsRequest, _: Context) -> AsyncIterator[pb.WatchEventsResponse]:
        async for response in self._watching.events(request):
            yield response

    async def StreamLogs(self, request: pb.StreamLogsRequest, _: Context) -> AsyncIterator[pb.StreamLogsResponse]:
        async for response in self._watching.logs(request):
            yield response

    # Workers

    async def ListWorkers(self, request: pb.ListWorkersRequest, _: Context) -> pb.ListWorkersResponse:
        return await self._workers.page(request)

    async def StopWorkers(self, request: pb.StopWorkersRequest, _: Context) -> pb.StopWorkersResponse:
        return await self._workers.stop(request)

    async def Prune(self, request: pb.PruneRequest, _: Context) -> pb.PruneResponse:
        days = self._retention.days
        if request.HasField("older_than"):
            days = max(request.older_than.ToTimedelta().total_seconds(), 0.0) / DAY
        pruned = await self._retention.prune(days)
        return pb.PruneResponse(runs=pruned.runs, versions=pruned.versions)


def translate(error: Exception) -> Exception:
    """An error of MongoDB or redis as one that the contract knows; others as they are."""
    if isinstance(error, DocumentTooLarge | InvalidDocument | OverflowError):
        return InvalidRequest("value", f"MongoDB cannot hold it ({error})")
    if isinstance(error, PyMongoError):
        return ServiceUnavailable("MongoDB", str(error).partition(",")[0])
    if isinstance(error, RedisError):
        return ServiceUnavailable("redis", str(error))
    return error


def indexes() -> dict[str, list[IndexModel]]:
    """The indexes that the control service needs beside those of the record, by collection."""
    return {
        "runs": [
            IndexModel([("created_at", DESCENDING), ("_id", DESCENDING)]),
            IndexModel([("state", ASCENDING), ("created_at", DESCENDING), ("_id", DESCENDING)]),
            IndexModel([("workflow", ASCENDING), ("created_at", DESCENDING), ("_id", DESCENDING)]),
            IndexModel([("changed_at", ASCENDING)]),
        ],
        "dag_runs": [IndexModel([("run", ASCENDING), ("changed_at", ASCENDING)])],
        "uploads": [IndexModel([("created_at", ASCENDING)], expireAfterSeconds=3600)],
        "control": [IndexModel([("started_at", DESCENDING)])],
    }
