"""What tasks ask of their store and signal, executed in their name. The child has no connection of its own."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from lightflow.core import ids
from lightflow.core.errors import AttemptSuperseded, NoControlService, ServiceUnavailable
from lightflow.runtime.datastore.mongo import RunStore
from lightflow.runtime.process import UNREACHABLE
from lightflow.runtime.rpc.async_client import AsyncControlClient
from lightflow_task_worker.frames import Header
from lightflow_task_worker.pool import Pool
from lightflow_task_worker.waiting import Waiting

if TYPE_CHECKING:
    from lightflow_task_worker.attempt import Attempt

logger = logging.getLogger(__name__)

AWAY = (*UNREACHABLE, NoControlService, ServiceUnavailable)
"""What is raised while something is down: no task is told of it, for as long as the attempt holds its task."""

Answer = tuple[Header, bytes]
Result = TypeVar("Result")
PAUSE = 0.1
"""Seconds between two tries of a call while its server cannot be reached."""


@dataclass(frozen=True, slots=True)
class Calling:
    """What calls are executed with; `holds` tells whether this worker's lease is good."""

    data: RunStore
    control: AsyncControlClient
    pool: Pool
    waiting: Waiting
    holds: Callable[[], bool]


class TaskCalls:
    """The calls of one attempt. Each write carries an operation id made of the attempt and the call's number."""

    def __init__(self, attempt: "Attempt", calling: Calling) -> None:
        self._attempt = attempt
        self._calling = calling
        self._run = attempt.task["run"]
        self._dag = attempt.task["dag"]

    async def call(self, method: str, header: Header, payload: bytes) -> Answer:
        """The answer to a call; raises AttemptSuperseded when the attempt no longer holds its task."""
        return await self._through_outages(lambda: _CALLS[method](self, header, payload))

    async def _through_outages(self, step: Callable[[], Awaitable[Result]]) -> Result:
        while True:
            if self._attempt.superseded or not self._calling.holds():
                # What the task makes of the refusal is no outcome: it will be repeated.
                self._attempt.supersede()
                raise AttemptSuperseded(self._attempt.task["task"], self._attempt.number)
            try:
                return await step()
            except AWAY as error:
                logger.warning("a call of %s waits: %s", self._attempt.id, str(error).splitlines()[0])
                await asyncio.sleep(PAUSE)

    def _operation(self, header: Header) -> str:
        return f"{self._attempt.id}/{self._attempt.number}/{header['call']}"

    async def _get(self, header: Header, _: bytes) -> Answer:
        value = await self._calling.data.get(self._run, header["key"], header["section"])
        return {"found": value is not None}, value or b""

    async def _set(self, header: Header, value: bytes) -> Answer:
        await self._calling.data.set(self._run, header["key"], value, header["section"], self._operation(header))
        return {}, b""

    async def _push(self, header: Header, value: bytes) -> Answer:
        await self._calling.data.push(self._run, header["key"], value, header["section"], self._operation(header))
        return {}, b""

    async def _extend(self, header: Header, value: bytes) -> Answer:
        await self._calling.data.extend(self._run, header["key"], value, header["section"], self._operation(header))
        return {}, b""

    async def _start_dag(self, header: Header, payload: bytes) -> Answer:
        data = payload if header["data"] else None
        request = self._operation(header)
        name = await self._calling.control.start_dag(self._run, header["name"], request_id=request, data=data)
        return {"name": name}, b""

    async def _join_dags(self, header: Header, _: bytes) -> Answer:
        """Wait for DAG runs; meanwhile the slot is lent to another attempt."""
        calling, names = self._calling, header["names"]
        joined = None if names is None else [ids.dag_run_id(self._run, name) for name in names]
        caller, request = self._attempt.task["dag_run"], self._operation(header)
        with (
            calling.waiting.for_dag_runs(self._run, joined, caller=caller) as lends,
            calling.pool.lent() if lends else nullcontext(),
        ):
            await calling.control.join_dags(self._run, names, caller=self._dag, request_id=request)
        return {}, b""

    async def _stop_dag(self, header: Header, _: bytes) -> Answer:
        await self._calling.control.stop_dag(self._run, header["name"] or self._dag)
        return {}, b""

    async def _stop_workflow(self, _: Header, __: bytes) -> Answer:
        await self._calling.control.stop_run(self._run)
        return {}, b""


_CALLS: dict[str, Callable[[TaskCalls, Header, bytes], Awaitable[Answer]]] = {
    "get": TaskCalls._get,
    "set": TaskCalls._set,
    "push": TaskCalls._push,
    "extend": TaskCalls._extend,
    "start_dag": TaskCalls._start_dag,
    "join_dags": TaskCalls._join_dags,
    "stop_dag": TaskCalls._stop_dag,
    "stop_workflow": TaskCalls._stop_workflow,
}
