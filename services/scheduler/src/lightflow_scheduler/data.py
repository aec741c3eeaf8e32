"""The store of a run, for those outside it and for its tasks."""

from collections.abc import AsyncIterable, Callable, Coroutine
from typing import Any

from lightflow.control.v1 import control_pb2 as pb
from lightflow.core.errors import InvalidRequest, RunFinished
from lightflow.core.ids import new_id
from lightflow.core.states import FINAL
from lightflow_scheduler import checks
from lightflow_scheduler.collaborators import Collaborators
from lightflow_scheduler.runs import Runs
from lightflow_scheduler.values import bson_of, collect

Write = Callable[[str, str, bytes, str, str], Coroutine[Any, Any, None]]


class Data:
    """Reads and writes values."""

    def __init__(self, with_: Collaborators, runs: Runs) -> None:
        self._store = with_.store
        self._runs = runs

    async def get(self, key: pb.DataKey) -> bytes | None:
        """The value under the key, in the BSON value encoding; None when there is none."""
        run = await self._runs.find(key.run_id)
        return await self._store.get(run["_id"], checks.given("key", key.key), checks.section(key.section))

    async def set(self, requests: AsyncIterable[Any]) -> None:
        """Set a value."""
        await self._write(self._store.set, requests)

    async def push(self, requests: AsyncIterable[Any]) -> None:
        """Append one value to a list."""
        await self._write(self._store.push, requests)

    async def extend(self, requests: AsyncIterable[Any]) -> None:
        """Append the values of a list to a list."""
        await self._write(self._store.extend, requests)

    async def _write(self, write: Write, requests: AsyncIterable[Any]) -> None:
        first = await anext(aiter(requests), None)
        if first is None:
            raise InvalidRequest("key", "it is missing")
        section, name = checks.section(first.key.section), checks.given("key", first.key.key)
        run = await self._runs.find(first.key.run_id)
        if run["state"] in FINAL:
            raise RunFinished(run["_id"], run["state"])
        value = bson_of(first.encoding, await collect(first.chunk, requests))
        await write(run["_id"], name, value, section, first.operation_id or new_id())
