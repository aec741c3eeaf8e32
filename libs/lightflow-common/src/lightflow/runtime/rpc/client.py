"""`ControlClient`: the control service for programs that wait for an answer, the command line above all.

Importing this module is cheap: grpc and the stubs are imported when a client is made. Every method raises the error
that the service raised, NoControlService where none answers, and RequestFailed where a deadline passes or the client is
closed.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Self

from lightflow.core.errors import RequestFailed
from lightflow.runtime.rpc.options import CALL_TIMEOUT, LOAD_TIMEOUT, VALUE_TIMEOUT, client_options

if TYPE_CHECKING:
    from grpc import ChannelCredentials

    from lightflow.control.v1 import control_pb2 as pb


MARGIN = 0.1
"""Seconds that the answer to a call has which is made when the time that was given is over."""


class ControlClient:
    """A channel to one control service; use it as a context manager. Answers are the contract's messages.

    `credentials` makes the channel a TLS one; `metadata` (a token) goes with every call. Timeouts are seconds.
    """

    def __init__(
        self,
        target: str,
        *,
        timeout: float = CALL_TIMEOUT,
        credentials: "ChannelCredentials | None" = None,
        metadata: tuple[tuple[str, str], ...] = (),
    ) -> None:
        import grpc

        from lightflow.control.v1 import control_pb2, control_pb2_grpc
        from lightflow.runtime.rpc import errors, requests

        self.target = target
        self._timeout = timeout
        self._is_closed = False
        self._metadata = metadata
        self._rpc_error, self._error_of = grpc.RpcError, errors.from_call
        self._pb, self._build = control_pb2, requests
        secure = credentials is not None
        options = client_options()
        self._channel = (
            grpc.secure_channel(target, credentials, options) if secure else grpc.insecure_channel(target, options)
        )
        self._stub: Any = control_pb2_grpc.ControlServiceStub(self._channel)  # type: ignore[no-untyped-call]

    def close(self) -> None:
        """Close the channel; open streams end."""
        self._is_closed = True
        self._channel.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # Runs

    def start_run(
        self,
        name: str = "",
        *,
        upload: str = "",
        text: Mapping[str, str] | None = None,
        encoded: Mapping[str, bytes] | None = None,
        key: str = "",
        queue: str = "",
        keep_data: bool = False,
    ) -> "pb.StartRunResponse":
        """Start a workflow by name or upload handle.

        `text` holds arguments as typed, `encoded` such in the BSON value encoding. The same `key` starts once.
        """
        request = self._pb.StartRunRequest(
            key=key,
            arguments=self._build.arguments(text or {}, encoded or {}),
            queue=queue,
            keep_data=keep_data,
            **_source(name, upload),
        )
        answer: pb.StartRunResponse = self._call(self._stub.StartRun, request, LOAD_TIMEOUT)
        return answer

    def stop_run(self, run_id: str, *, now: bool = False, grace: float | None = None) -> "pb.Run":
        """Stop a run; with `now`, what still runs after `grace` seconds is killed."""
        request = self._pb.StopRunRequest(run_id=run_id, now=now, grace=self._build.duration(grace))
        run: pb.Run = self._call(self._stub.StopRun, request).run
        return run

    def get_run(self, run_id: str, *, history: bool = False) -> "pb.Run":
        """A run with its DAG runs and tasks, by its id or a unique beginning of it."""
        run: pb.Run = self._call(self._stub.GetRun, self._pb.GetRunRequest(run_id=run_id, history=history)).run
        return run

    def list_runs(
        self, *, states: Iterable[str] = (), workflow: str = "", since: datetime | None = None, page_size: int = 0
    ) -> "Iterator[pb.Run]":
        """Runs, newest first, without their DAG runs."""
        request = self._pb.ListRunsRequest(
            states=states, workflow=workflow, since=self._build.timestamp(since), page_size=page_size
        )
        return self._pages(self._stub.ListRuns, request, "runs")

    def watch_run(self, run_id: str) -> "Iterator[pb.WatchRunResponse]":
        """The whole run, then what changes, until it is final."""
        return self._stream(self._stub.WatchRun, self._pb.WatchRunRequest(run_id=run_id))

    def wait_run(self, run_id: str, patience: float | None = None, others: Iterable[str] = ()) -> "pb.WaitRunResponse":
        """A run without its DAG runs once it is final or so many seconds are over, and which others are final."""
        request = self._pb.WaitRunRequest(run_id=run_id, patience=self._build.duration(patience), others=others)
        deadline = None if patience is None else patience + MARGIN
        answer: pb.WaitRunResponse = self._call(self._stub.WaitRun, request, deadline, bounded=patience is not None)
        return answer

    def list_tasks(
        self, run_id: str = "", *, states: Iterable[str] = (), queue: str = "", page_size: int = 0
    ) -> "Iterator[pb.Task]":
        """Tasks of a run, or of all runs that are not final."""
        request = self._pb.ListTasksRequest(run_id=run_id, states=states, queue=queue, page_size=page_size)
        return self._pages(self._stub.ListTasks, request, "tasks")

    def get_result(self, run_id: str, task: str) -> bytes:
        """The output of a task (NAME or DAG:n/NAME): the pickle of a TaskData."""
        request = self._pb.GetResultRequest(run_id=run_id, task=task)
        return b"".join(part.chunk for part in self._stream(self._stub.GetResult, request, VALUE_TIMEOUT))

    # Workflows

    def list_workflows(self, *, page_size: int = 0, timeout: float = LOAD_TIMEOUT) -> "Iterator[pb.Workflow]":
        """The workflows in the workflow folders and those deployed, by name."""
        return self._pages(
            self._stub.ListWorkflows, self._pb.ListWorkflowsRequest(page_size=page_size), "workflows", timeout
        )

    def get_workflow(self, name: str = "", *, upload: str = "") -> "pb.Workflow":
        """A workflow with its graph and options, loaded where it is not deployed."""
        request = self._pb.GetWorkflowRequest(**_source(name, upload))
        workflow: pb.Workflow = self._call(self._stub.GetWorkflow, request, LOAD_TIMEOUT).workflow
        return workflow

    def upload_workflow(self, name: str, archive: bytes) -> str:
        """Hand over a source archive; the answer is the handle that names it."""
        handle: str = self._call(self._stub.UploadWorkflow, self._build.upload(name, archive), VALUE_TIMEOUT).upload
        return handle

    def deploy_workflow(self, name: str = "", *, upload: str = "") -> "pb.Workflow":
        """Load a workflow and keep that version for later starts of its name."""
        request = self._pb.DeployWorkflowRequest(**_source(name, upload))
        workflow: pb.Workflow = self._call(self._stub.DeployWorkflow, request, LOAD_TIMEOUT).workflow
        return workflow

    def undeploy_workflow(self, name: str) -> None:
        """From now on the workflow of that name is loaded at every start again."""
        self._call(self._stub.UndeployWorkflow, self._pb.UndeployWorkflowRequest(name=name))

    # Signals

    def start_dag(self, run_id: str, dag: str, *, request_id: str, data: bytes | None = None) -> str | None:
        """Start a DAG of a run; `data` is a pickle for its start tasks. None when the run is stopping."""
        value = None if data is None else self._build.pickle_value(data)
        request = self._pb.StartDagRequest(run_id=run_id, dag=dag, request_id=request_id, data=value)
        return self._call(self._stub.StartDag, request).name or None

    def join_dags(self, run_id: str, names: Iterable[str] | None = None, *, timeout: float | None = None) -> None:
        """Wait until DAG runs are final; None: all of the run."""
        request = self._pb.JoinDagsRequest(run_id=run_id, names=names or (), all=names is None)
        self._call(self._stub.JoinDags, request, timeout, bounded=timeout is not None)

    def stop_dag(self, run_id: str, name: str) -> None:
        """Stop one DAG run, named with its :n."""
        self._call(self._stub.StopDag, self._pb.StopDagRequest(run_id=run_id, name=name))

    # Data

    def get_data(self, run_id: str, key: str, *, section: str = "data") -> bytes | None:
        """A value in the BSON value encoding; None when there is none under that key."""
        request = self._pb.GetDataRequest(key=self._build.data_key(run_id, key, section))
        parts = list(self._stream(self._stub.GetData, request, VALUE_TIMEOUT))
        return b"".join(part.chunk for part in parts) if parts and parts[0].found else None

    def set_data(
        self, run_id: str, key: str, value: bytes, *, section: str = "data", operation_id: str = "", json: bool = False
    ) -> None:
        """Set a value, given in the BSON value encoding or, with `json`, as JSON."""
        self._write(self._stub.SetData, self._pb.SetDataRequest, (run_id, key, section), value, operation_id, json)

    def push_data(
        self, run_id: str, key: str, value: bytes, *, section: str = "data", operation_id: str = "", json: bool = False
    ) -> None:
        """Append one value to a list."""
        self._write(self._stub.PushData, self._pb.PushDataRequest, (run_id, key, section), value, operation_id, json)

    def extend_data(
        self, run_id: str, key: str, value: bytes, *, section: str = "data", operation_id: str = "", json: bool = False
    ) -> None:
        """Append the values of a list to a list."""
        self._write(
            self._stub.ExtendData, self._pb.ExtendDataRequest, (run_id, key, section), value, operation_id, json
        )

    # Watching

    def watch_events(self, run_id: str = "", *, since: datetime | None = None) -> "Iterator[pb.WatchEventsResponse]":
        """From when on (now, where `since` is not given), then the events of a run until it is final, or of all."""
        request = self._pb.WatchEventsRequest(run_id=run_id, since=self._build.timestamp(since))
        return self._stream(self._stub.WatchEvents, request)

    def stream_logs(self, run_id: str, *, task: str = "", follow: bool = False) -> "Iterator[pb.StreamLogsResponse]":
        """What tasks wrote; with `follow` until the run is final."""
        request = self._pb.StreamLogsRequest(run_id=run_id, task=task, follow=follow)
        return self._stream(self._stub.StreamLogs, request, None if follow else VALUE_TIMEOUT)

    # Workers

    def list_workers(self, *, queues: Iterable[str] = (), page_size: int = 0) -> "Iterator[pb.Worker]":
        """The living workers, of all services."""
        request = self._pb.ListWorkersRequest(queues=queues, page_size=page_size)
        return self._pages(self._stub.ListWorkers, request, "workers")

    def stop_workers(self, ids: Iterable[str] = ()) -> "list[pb.Worker]":
        """Ask workers to stop; none named: all. The answer holds those that were asked."""
        return list(self._call(self._stub.StopWorkers, self._pb.StopWorkersRequest(ids=ids)).stopped)

    def prune(self, older_than: timedelta | None = None) -> "pb.PruneResponse":
        """Remove what runs left that ended longer ago than this (None: than the system keeps them)."""
        request = self._pb.PruneRequest()
        if older_than is not None:
            request.older_than.FromTimedelta(older_than)
        answer: pb.PruneResponse = self._call(self._stub.Prune, request, VALUE_TIMEOUT)
        return answer

    # How calls are made

    def _call(
        self, method: Callable[..., Any], request: Any, timeout: float | None = None, *, bounded: bool = True
    ) -> Any:
        deadline = (timeout or self._timeout) if bounded else None
        with self._raising():
            return method(request, timeout=deadline, metadata=self._metadata)

    def _stream(self, method: Callable[..., Any], request: Any, timeout: float | None = None) -> Iterator[Any]:
        with self._raising():
            call = method(request, timeout=timeout, metadata=self._metadata)
            try:
                yield from call
            finally:
                call.cancel()

    def _pages(
        self, method: Callable[..., Any], request: Any, field: str, timeout: float | None = None
    ) -> Iterator[Any]:
        while True:
            page = self._call(method, request, timeout)
            yield from getattr(page, field)
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    def _write(
        self, method: Callable[..., Any], kind: Any, key: tuple[str, str, str], value: bytes, operation: str, json: bool
    ) -> None:
        encoding = self._pb.Value.ENCODING_JSON if json else self._pb.Value.ENCODING_BSON
        messages = self._build.writes(kind, self._build.data_key(*key), value, operation, encoding)
        self._call(method, messages, VALUE_TIMEOUT)

    @contextmanager
    def _raising(self) -> Iterator[None]:
        try:
            yield
        except self._rpc_error as error:
            raise self._error_of(error, self.target) from None
        except ValueError:  # what grpc says of a channel that was closed before the call
            if not self._is_closed:
                raise
            raise RequestFailed(
                "The client is closed; ask inside its `with` block, or of a run that a new client gives"
            ) from None


def _source(name: str, upload: str) -> dict[str, str]:
    return {"upload": upload} if upload else {"name": name}
