"""`AsyncControlClient`: the control service for a service's event loop; a task worker asks it in its tasks' name.

A call that cannot be answered because something is down is repeated, at any address that is registered by then, until
it is answered or `patience` is over: every call carries a request or operation id, so that it takes effect once.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from typing import Any, Self

import grpc

from lightflow.control.v1 import control_pb2 as pb
from lightflow.control.v1 import control_pb2_grpc
from lightflow.core.errors import NoControlService, ServiceUnavailable
from lightflow.runtime.rpc import errors, requests
from lightflow.runtime.rpc.options import CALL_TIMEOUT, VALUE_TIMEOUT, client_options

Targets = Callable[[], Awaitable[list[str]]]
"""Asks for the addresses that may answer, best first."""

_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 1.0
_IN_TOUCH = 10.0  # seconds: longer than it takes to find out that nobody answers


class AsyncControlClient:
    """Channels to whichever control service answers. `patience` is seconds without any answer."""

    def __init__(
        self,
        targets: Targets,
        *,
        patience: float = 25.0,
        credentials: grpc.ChannelCredentials | None = None,
        metadata: tuple[tuple[str, str], ...] = (),
    ) -> None:
        self._targets = targets
        self._patience = patience
        self._credentials = credentials
        self._metadata = metadata
        self._channel: tuple[str, grpc.aio.Channel] | None = None
        self._refused: set[str] = set()

    async def close(self) -> None:
        """Close the channel; open calls end."""
        await self._drop()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def start_dag(self, run_id: str, dag: str, *, request_id: str, data: bytes | None = None) -> str | None:
        """Start a DAG of a run; `data` is a pickle for its start tasks. None when the run is stopping."""
        value = None if data is None else requests.pickle_value(data)
        request = pb.StartDagRequest(run_id=run_id, dag=dag, request_id=request_id, data=value)
        return (await self._call("StartDag", lambda: request)).name or None

    async def join_dags(self, run_id: str, names: Iterable[str] | None, *, caller: str, request_id: str) -> None:
        """Wait until DAG runs are final; None: all of the run but the caller's own."""
        request = pb.JoinDagsRequest(
            run_id=run_id, names=names or (), all=names is None, caller=caller, request_id=request_id
        )
        await self._call("JoinDags", lambda: request, None)

    async def stop_dag(self, run_id: str, name: str) -> None:
        """Stop one DAG run, named with its :n."""
        request = pb.StopDagRequest(run_id=run_id, name=name)
        await self._call("StopDag", lambda: request)

    async def stop_run(self, run_id: str) -> None:
        """Stop the run."""
        request = pb.StopRunRequest(run_id=run_id)
        await self._call("StopRun", lambda: request)

    async def watch_stop(self, run_id: str, dag: str = "") -> AsyncIterator[bool]:
        """Whether a DAG run, or the run, is stopping: now, and once more when it turns true."""
        stub, target = await self._connected()
        call = stub.WatchStop(pb.WatchStopRequest(run_id=run_id, dag=dag), metadata=self._metadata)
        try:
            async for response in call:
                yield response.stopping
        except grpc.aio.AioRpcError as error:
            raise errors.from_call(error, target) from None
        finally:
            call.cancel()

    async def get_data(self, run_id: str, key: str, *, section: str = "data") -> bytes | None:
        """A value in the BSON value encoding; None when there is none under that key."""
        request = pb.GetDataRequest(key=requests.data_key(run_id, key, section))
        parts = await self._repeated(lambda stub: self._collect(stub.GetData(request, timeout=VALUE_TIMEOUT)))
        return b"".join(part.chunk for part in parts) if parts and parts[0].found else None

    async def set_data(self, run_id: str, key: str, value: bytes, *, section: str, operation_id: str) -> None:
        """Set a value, given in the BSON value encoding."""
        await self._write("SetData", pb.SetDataRequest, (run_id, key, section), value, operation_id)

    async def push_data(self, run_id: str, key: str, value: bytes, *, section: str, operation_id: str) -> None:
        """Append one value to a list."""
        await self._write("PushData", pb.PushDataRequest, (run_id, key, section), value, operation_id)

    async def extend_data(self, run_id: str, key: str, value: bytes, *, section: str, operation_id: str) -> None:
        """Append the values of a list to a list."""
        await self._write("ExtendData", pb.ExtendDataRequest, (run_id, key, section), value, operation_id)

    async def _write(self, method: str, kind: Any, key: tuple[str, str, str], value: bytes, operation_id: str) -> None:
        place, encoding = requests.data_key(*key), pb.Value.ENCODING_BSON
        await self._call(
            method, lambda: requests.writes(kind, place, value, operation_id, encoding), timeout=VALUE_TIMEOUT
        )

    async def _call(self, method: str, request: Callable[[], Any], timeout: float | None = CALL_TIMEOUT) -> Any:
        return await self._repeated(
            lambda stub: getattr(stub, method)(request(), timeout=timeout, metadata=self._metadata)
        )

    @staticmethod
    async def _collect(call: Any) -> list[Any]:
        return [part async for part in call]

    async def _repeated(self, attempt: Callable[[Any], Awaitable[Any]]) -> Any:
        clock = asyncio.get_running_loop().time
        gives_up, pause = clock() + self._patience, _FIRST_PAUSE
        while True:
            target, began = "", clock()
            try:
                stub, target = await self._connected()
                return await attempt(stub)
            except (grpc.aio.AioRpcError, NoControlService) as error:
                failure = error if isinstance(error, NoControlService) else errors.from_call(error, target)
            except asyncio.CancelledError:
                if _is_cancelled():
                    raise
                failure = NoControlService((target,))  # another call has closed the channel under this one
            if clock() - began > _IN_TOUCH:
                # It was in touch until now, as a join may be for hours: patience begins anew.
                gives_up, pause = clock() + self._patience, _FIRST_PAUSE
            if not isinstance(failure, NoControlService | ServiceUnavailable) or clock() + pause > gives_up:
                raise failure
            if isinstance(failure, NoControlService):
                await self._drop(target)
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    async def _connected(self) -> tuple[Any, str]:
        if self._channel is None:
            target = self._pick(await self._targets())
            options = client_options()
            if self._credentials is None:
                channel = grpc.aio.insecure_channel(target, options)
            else:
                channel = grpc.aio.secure_channel(target, self._credentials, options)
            self._channel = (target, channel)
        target, channel = self._channel
        return control_pb2_grpc.ControlServiceStub(channel), target  # type: ignore[no-untyped-call]

    def _pick(self, targets: list[str]) -> str:
        """The best address that has not refused since the last success of all; then from the beginning again."""
        if not targets:
            raise NoControlService(("the addresses registered in the store: none",))
        fresh = [target for target in targets if target not in self._refused]
        if not fresh:
            self._refused.clear()
        return (fresh or targets)[0]

    async def _drop(self, refused: str = "") -> None:
        """Let go of the channel, unless another call has already replaced the one that refused."""
        if refused:
            self._refused.add(refused)
        if self._channel and refused in ("", self._channel[0]):
            _, channel = self._channel
            self._channel = None
            await channel.close()


def _is_cancelled() -> bool:
    """Whether somebody wants the task to end that asks; grpc says the same of a call whose channel was closed."""
    task = asyncio.current_task()
    return task is None or task.cancelling() > 0
