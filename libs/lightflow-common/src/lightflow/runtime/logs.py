"""What tasks print: written in chunks while an attempt runs, readable at once and afterwards."""

import asyncio
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from bson.timestamp import Timestamp
from pymongo import IndexModel, WriteConcern
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import AutoReconnect, DuplicateKeyError

from lightflow.core.ids import new_id

COLLECTION = "logs"
CHUNK = 256 * 1024
LIMIT = 10 * 1024 * 1024
SOON = 0.05  # seconds after which the first output of an attempt is written
LATER = 0.25  # seconds between writes from then on
RETRY = 0.5
START = Timestamp(0, 1)
OVERLAP = 10  # seconds that a reader goes back: chunks taken at the same time do not become visible in their order

Document = dict[str, Any]
logger = logging.getLogger(__name__)


class Publisher(Protocol):
    """Tells whoever follows a log to look."""

    async def publish(self, kind: str, **ids: str) -> None:
        """Say that there is something of that kind to look at."""


@dataclass(frozen=True, slots=True)
class LogChunk:
    """Bytes as an attempt wrote them, which may end within a line; `at` is the time of the server, in UTC."""

    dag: str
    task: str
    attempt: int
    at: datetime
    text: bytes


@dataclass(slots=True)
class LogPosition:
    """How far the log of a run was read."""

    at: Timestamp = START
    seen: dict[str, int] = field(default_factory=dict)


class LogWriter:
    """Collects the output of one attempt; `write` never waits, `close` returns when everything is stored."""

    def __init__(
        self,
        database: AsyncDatabase[Document],
        publisher: Publisher,
        *,
        run: str,
        dag: str,
        task: str,
        attempt: int,
        limit: int = LIMIT,
    ) -> None:
        # Logs are not what decides; and the outcome that follows them is journalled, which takes them along.
        self._logs = database[COLLECTION].with_options(write_concern=WriteConcern(w=1, j=False))
        self._publisher = publisher
        # An attempt that was handed back is run again under its number: its chunks are told apart by their writer.
        self._owner: Document = {
            "schema": 1,
            "run": run,
            "dag": dag,
            "task": task,
            "attempt": attempt,
            "writer": new_id(),
        }
        self._limit = limit
        self._room = limit
        self._seq = 0
        self._waiting = bytearray()
        self._hurry = asyncio.Event()
        self._closing = False
        self._sender: asyncio.Task[None] | None = None

    def write(self, data: bytes) -> None:
        """Take output. What exceeds the limit is dropped, and the log says so once."""
        if self._room < 0 or not data:
            return
        self._waiting += data[: self._room]
        self._room -= len(data)
        if self._room < 0:
            self._waiting += f"\n[lightflow] more than {self._limit:,} bytes of output; the rest is not kept\n".encode()
        if len(self._waiting) >= CHUNK:
            self._hurry.set()
        if self._sender is None or self._sender.done():
            self._sender = asyncio.create_task(self._send())

    async def close(self) -> None:
        """Store what is left. Waits out an outage of MongoDB; cancel it to give up."""
        self._closing = True
        self._hurry.set()
        if self._sender is not None:
            await self._sender

    async def _send(self) -> None:
        while self._waiting:
            try:
                async with asyncio.timeout(SOON if self._seq == 0 else LATER):
                    await self._hurry.wait()
            except TimeoutError:
                pass
            if not self._closing:
                self._hurry.clear()
            while self._waiting:
                text = bytes(self._waiting[:CHUNK])
                await self._store(text)
                del self._waiting[: len(text)]
            await self._publisher.publish("log", run=self._owner["run"], task=self._owner["task"])

    async def _store(self, text: bytes) -> None:
        writer = self._owner["writer"]
        chunk = {"_id": f"{writer}/{self._seq}", **self._owner, "seq": self._seq, "at": Timestamp(0, 0), "text": text}
        while True:
            try:
                await self._logs.insert_one(chunk)
            except DuplicateKeyError:
                break  # stored before; only the reply was lost
            except AutoReconnect as error:
                logger.warning("Output of task %s waits for MongoDB: %s", self._owner["task"], error)
                await asyncio.sleep(RETRY)
            else:
                break
        self._seq += 1


async def read_logs(
    database: AsyncDatabase[Document],
    run_id: str,
    *,
    task: str | None = None,
    dag: str | None = None,
    after: LogPosition | None = None,
) -> AsyncIterator[LogChunk]:
    """The chunks of a run's log in order, of one task name or DAG run (with :n) where given.

    `after` is where an earlier reading ended; it is moved along, so that the next reading yields what is new.
    """
    position = after if after is not None else LogPosition()
    asked: Document = {"run": run_id, "at": {"$gte": Timestamp(max(position.at.time - OVERLAP, 0), 0)}}
    if task is not None:
        asked["task"] = task
    if dag is not None:
        asked["dag"] = dag
    async for chunk in database[COLLECTION].find(asked).sort("at", 1):
        if chunk["seq"] <= position.seen.get(chunk["writer"], -1):
            continue
        position.seen[chunk["writer"]] = chunk["seq"]
        position.at = max(position.at, chunk["at"])
        yield LogChunk(chunk["dag"], chunk["task"], chunk["attempt"], chunk["at"].as_datetime(), bytes(chunk["text"]))


async def remove_logs(database: AsyncDatabase[Document], run_id: str) -> None:
    """Remove the log of a run."""
    await database[COLLECTION].delete_many({"run": run_id})


def indexes() -> dict[str, list[IndexModel]]:
    """The indexes that logs need, by collection."""
    return {COLLECTION: [IndexModel([("run", 1), ("at", 1)]), IndexModel([("run", 1), ("task", 1), ("at", 1)])]}
