# ruff: noqa: N802 (the methods of a servicer are named as the contract names them)
"""A control service with canned answers on a unix socket: a peer that speaks the protocol, for the command lines."""

import queue
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click
import grpc
import pytest
from click.testing import CliRunner, Result

from lightflow.cli.lightflow import main as lightflow
from lightflow.cli.lightflowctl import main as lightflowctl
from lightflow.control.v1 import control_pb2 as pb
from lightflow.control.v1 import control_pb2_grpc
from lightflow.core.errors import InvalidRequest, LightflowException, RunUnknown, WorkflowUnknown
from lightflow.runtime.rpc import errors

START = datetime(2024, 5, 31, 12, 0, 0, tzinfo=UTC)
RUN_ID = "65f1a0c3d2e4b5a697887766"
OTHER_ID = "70aabbccddeeff0011223344"


def stamp(message: Any, **times: float) -> Any:
    """Set timestamps of a message, in seconds after START; `duration` in seconds."""
    for name, seconds in times.items():
        if name == "duration":
            message.duration.FromTimedelta(timedelta(seconds=seconds))
        else:
            getattr(message, name).FromDatetime(START + timedelta(seconds=seconds))
    return message


def make_task(name: str, state: str = "succeeded", dag: str = "main:1", **fields: Any) -> pb.Task:
    task = pb.Task(name=name, dag=dag, state=state, queue="task", **fields)
    if state == "succeeded":
        stamp(task, started_at=1, finished_at=1.25, duration=0.25)
        task.attempts = task.attempts or 1
        task.worker = task.worker or "host-1"
    return task


def make_run(state: str = "succeeded", run_id: str = RUN_ID, *tasks: pb.Task, **fields: Any) -> pb.Run:
    run = pb.Run(run_id=run_id, workflow="simple", version="c0ffee" * 10, state=state, queue="workflow", **fields)
    stamp(run, created_at=0, started_at=0)
    if state in ("succeeded", "failed", "stopped", "aborted"):
        stamp(run, finished_at=1.5, duration=1.5)
    if tasks:
        run.dags.append(pb.DagRun(name="main:1", state=state, queue="dag", tasks=tasks))
    return run


class Control(control_pb2_grpc.ControlServiceServicer):
    """Answers from what a test put here; `asked` holds the requests."""

    make_run = staticmethod(make_run)
    make_task = staticmethod(make_task)
    stamp = staticmethod(stamp)

    def __init__(self) -> None:
        self.asked: list[Any] = []
        self.runs = {RUN_ID: make_run("succeeded", RUN_ID, make_task("first"), make_task("second"))}
        self.workflows = {"simple": pb.Workflow(name="simple", docstring="One task after another.\n\nMore.")}
        self.options: set[str] = set()
        self.failure: LightflowException | None = None
        self.outages: dict[str, int] = {}
        self.changes: queue.SimpleQueue[pb.WatchRunResponse | None] = queue.SimpleQueue()
        self.watched: list[pb.WatchRunResponse] | None = None
        self.ended = threading.Event()
        self.hasty = False  # with a clock that goes much faster than the client's
        self.pieces: list[pb.StreamLogsResponse] = []
        self.events: list[pb.Event] = []
        self.workers: list[pb.Worker] = []
        self.data: dict[str, bytes] = {}
        self.on_stop: Callable[[pb.StopRunRequest], None] = lambda request: None

    def StartRun(self, request: pb.StartRunRequest, context: Any) -> pb.StartRunResponse:
        self._take(request)
        if request.WhichOneof("source") == "name" and request.name not in self.workflows:
            raise WorkflowUnknown(request.name, tuple(self.workflows))
        unnamed = [argument.name for argument in request.arguments if argument.name not in self.options]
        return pb.StartRunResponse(run=_without_dags(self.runs[RUN_ID]), unnamed=unnamed)

    def StopRun(self, request: pb.StopRunRequest, context: Any) -> pb.StopRunResponse:
        self._take(request)
        run = pb.Run()
        run.CopyFrom(self.runs[request.run_id])
        run.state = "stopping"
        self.on_stop(request)
        return pb.StopRunResponse(run=run)

    def StopDag(self, request: pb.StopDagRequest, context: Any) -> pb.StopDagResponse:
        self._take(request)
        return pb.StopDagResponse()

    def GetRun(self, request: pb.GetRunRequest, context: Any) -> pb.GetRunResponse:
        self._take(request)
        if not set(request.run_id) <= set("0123456789abcdef"):
            raise InvalidRequest("run_id", f"{request.run_id!r} is no run id")
        found = [run for run_id, run in self.runs.items() if run_id.startswith(request.run_id)]
        if not found:
            raise RunUnknown(request.run_id)
        return pb.GetRunResponse(run=found[0])

    def ListRuns(self, request: pb.ListRunsRequest, context: Any) -> pb.ListRunsResponse:
        self._take(request)
        chosen = [run for run in self.runs.values() if not request.states or run.state in request.states]
        return pb.ListRunsResponse(runs=[_without_dags(run) for run in chosen])

    def WatchRun(self, request: pb.WatchRunRequest, context: Any) -> Iterator[pb.WatchRunResponse]:
        self._take(request)
        if self.watched is None:
            yield pb.WatchRunResponse(run=self.runs[request.run_id])
            return
        yield from self.watched
        while (change := self.changes.get()) is not None:
            yield change

    def WaitRun(self, request: pb.WaitRunRequest, context: Any) -> pb.WaitRunResponse:
        self._take(request)
        if self.runs[request.run_id].state == "running" and not self.hasty:
            self.ended.wait(request.patience.ToTimedelta().total_seconds() if request.HasField("patience") else None)
        ended = [_without_dags(run) for run_id, run in self.runs.items() if run_id in request.others]
        return pb.WaitRunResponse(
            run=_without_dags(self.runs[request.run_id]), ended=[run for run in ended if run.state != "running"]
        )

    def StreamLogs(self, request: pb.StreamLogsRequest, context: Any) -> Iterator[pb.StreamLogsResponse]:
        self._take(request)
        for piece in self.pieces:
            if request.task in ("", piece.task):
                yield piece
        self._fail_now("StreamLogs", context)

    def ListWorkflows(self, request: pb.ListWorkflowsRequest, context: Any) -> pb.ListWorkflowsResponse:
        self._take(request)
        return pb.ListWorkflowsResponse(workflows=self.workflows.values())

    def GetWorkflow(self, request: pb.GetWorkflowRequest, context: Any) -> pb.GetWorkflowResponse:
        self._take(request)
        return pb.GetWorkflowResponse(workflow=self.workflows[request.name])

    def UploadWorkflow(self, requests: Iterator[pb.UploadWorkflowRequest], context: Any) -> pb.UploadWorkflowResponse:
        self.asked += list(requests)
        return pb.UploadWorkflowResponse(upload="handle")

    def DeployWorkflow(self, request: pb.DeployWorkflowRequest, context: Any) -> pb.DeployWorkflowResponse:
        self._take(request)
        return pb.DeployWorkflowResponse(workflow=pb.Workflow(name="simple", version="c0ffee" * 10, deployed=True))

    def UndeployWorkflow(self, request: pb.UndeployWorkflowRequest, context: Any) -> pb.UndeployWorkflowResponse:
        self._take(request)
        return pb.UndeployWorkflowResponse()

    def GetData(self, request: pb.GetDataRequest, context: Any) -> Iterator[pb.GetDataResponse]:
        self._take(request)
        value = self.data.get(request.key.key)
        yield pb.GetDataResponse(found=value is not None, encoding=pb.Value.ENCODING_BSON, chunk=value or b"")

    def SetData(self, requests: Iterator[pb.SetDataRequest], context: Any) -> pb.SetDataResponse:
        self.asked += list(requests)
        return pb.SetDataResponse()

    def ExtendData(self, requests: Iterator[pb.ExtendDataRequest], context: Any) -> pb.ExtendDataResponse:
        self.asked += list(requests)
        return pb.ExtendDataResponse()

    def GetResult(self, request: pb.GetResultRequest, context: Any) -> Iterator[pb.GetResultResponse]:
        self._take(request)
        yield pb.GetResultResponse(encoding=pb.Value.ENCODING_PICKLE, chunk=self.data[request.task])

    def WatchEvents(self, request: pb.WatchEventsRequest, context: Any) -> Iterator[pb.WatchEventsResponse]:
        self._take(request)
        yield pb.WatchEventsResponse(since=request.since)
        for event in self.events:
            yield pb.WatchEventsResponse(event=event)
        self._fail_now("WatchEvents", context)

    def ListWorkers(self, request: pb.ListWorkersRequest, context: Any) -> pb.ListWorkersResponse:
        self._take(request)
        return pb.ListWorkersResponse(workers=self.workers)

    def StopWorkers(self, request: pb.StopWorkersRequest, context: Any) -> pb.StopWorkersResponse:
        self._take(request)
        return pb.StopWorkersResponse(stopped=[worker for worker in self.workers if worker.id in request.ids])

    def requests(self, kind: type) -> list[Any]:
        """What was asked, of one kind."""
        return [request for request in self.asked if isinstance(request, kind)]

    def _take(self, request: Any) -> None:
        self.asked.append(request)
        if self.failure is not None:
            raise self.failure

    def _fail_now(self, method: str, context: Any) -> None:
        if self.outages.get(method, 0):
            self.outages[method] -= 1
            context.abort(grpc.StatusCode.UNAVAILABLE, "going down")


def _without_dags(run: pb.Run) -> pb.Run:
    short = pb.Run()
    short.CopyFrom(run)
    short.ClearField("dags")
    return short


class TellErrors(grpc.ServerInterceptor):
    """Answers errors as the control service does: as metadata, with a status code."""

    def intercept_service(self, continuation: Any, details: Any) -> Any:
        handler = continuation(details)

        def guarded(inner: Callable[..., Any]) -> Callable[..., Any]:
            def call(request: Any, context: Any) -> Any:
                try:
                    return inner(request, context)
                except LightflowException as error:
                    context.set_trailing_metadata(errors.to_metadata(error))
                    context.abort(errors.status_of(error), str(error))

            return call

        if handler is not None and handler.unary_unary:
            return handler._replace(unary_unary=guarded(handler.unary_unary))
        return handler


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty folder that is the current one, short enough for sockets; no variable of Lightflow is set."""
    for name in ("TARGET", "DATA_DIR", "CONFIG", "DEBUG", "STORE_URI"):
        monkeypatch.delenv(f"LIGHTFLOW_{name}", raising=False)
    monkeypatch.delenv("NO_COLOR", raising=False)
    made = Path(tempfile.mkdtemp(prefix="lf-", dir="/tmp"))
    monkeypatch.setenv("HOME", str(made))
    monkeypatch.chdir(made)
    yield made
    shutil.rmtree(made)


@pytest.fixture
def control(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Control]:
    """A running control service, which LIGHTFLOW_TARGET names."""
    servicer = Control()
    with ThreadPoolExecutor(8) as pool:
        server = grpc.server(pool, interceptors=[TellErrors()])
        control_pb2_grpc.add_ControlServiceServicer_to_server(servicer, server)
        server.add_insecure_port(f"unix:{folder}/control.sock")
        server.start()
        monkeypatch.setenv("LIGHTFLOW_TARGET", f"unix:{folder}/control.sock")
        yield servicer
        servicer.changes.put(None)
        server.stop(0).wait()


Invoke = Callable[..., Result]


def _invoke(group: click.Group) -> Invoke:
    def invoke(*words: str, **settings: Any) -> Result:
        return CliRunner().invoke(group, list(words), **settings)

    return invoke


@pytest.fixture
def ctl(folder: Path) -> Invoke:
    """Call `lightflowctl` with these words."""
    return _invoke(lightflowctl)


@pytest.fixture
def flow(folder: Path) -> Invoke:
    """Call `lightflow` with these words."""
    return _invoke(lightflow)
