"""A process in the list of workers: entering it, proving life, leaving it."""

import asyncio
import logging
import os
import platform
import socket
import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pymongo.errors import DuplicateKeyError, PyMongoError

from lightflow.core.ids import new_id
from lightflow.core.secrecy import masked
from lightflow.core.states import Service
from lightflow.runtime.mongo import SCHEMA, Database
from lightflow.runtime.notify import Notifier
from lightflow.runtime.process import when_reachable

PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"

logger = logging.getLogger(__name__)


def process_started(pid: int) -> str | None:
    """When a process of this host started, as its kernel counts; None when there is none, or nobody can tell."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    return stat.rpartition(")")[2].split()[19]


@dataclass
class Member:
    """One incarnation of a service process, as others see it."""

    service: Service
    name: str
    queues: Sequence[str]
    broker: str
    slots: int = 0
    host: str = field(default_factory=socket.gethostname)
    incarnation: str = field(default_factory=new_id)
    marker: str = ""

    def document(self) -> dict[str, Any]:
        return {
            "_id": self.incarnation,
            "schema": SCHEMA,
            "service": self.service.value,
            "name": self.name,
            "host": self.host,
            "pid": os.getpid(),
            "pid_started": process_started(os.getpid()),
            "process_pids": [],
            "queues": list(self.queues),
            "slots": self.slots,
            "running": 0,
            "beat": 0,
            "python": PYTHON,
            "implementation": platform.python_implementation(),
            "broker": masked(self.broker),
            "draining": False,
            "marker": self.marker,
        }


class Membership:
    """Keeps a member's lease: one counter, bumped every `interval` seconds."""

    def __init__(self, db: Database, member: Member, interval: float) -> None:
        self.member = member
        self._workers = db["workers"]
        self._interval = interval
        self._renewed = 0.0
        self._told = asyncio.Event()

    async def enter(self) -> None:
        """Appear in the list."""
        try:
            await self._workers.insert_one(self.member.document())
        except DuplicateKeyError:
            logger.debug("an earlier attempt to enter had succeeded")
        stamp = {"$currentDate": {"started_at": True, "beat_at": True}}
        await self._workers.update_one({"_id": self.member.incarnation}, stamp)
        self._renewed = asyncio.get_running_loop().time()

    async def leave(self) -> None:
        """Disappear from the list."""
        await self._workers.delete_one({"_id": self.member.incarnation})

    async def renew(self, **facts: Any) -> dict[str, Any] | None:
        """Bump the counter and report facts; the document, or None when others have declared this lease lost."""
        document = await self._workers.find_one_and_update(
            {"_id": self.member.incarnation, "dead": {"$exists": False}},
            {"$inc": {"beat": 1}, "$currentDate": {"beat_at": True}, "$set": facts},
            return_document=True,
        )
        if document is not None:
            self._renewed = asyncio.get_running_loop().time()
            self._see(document)
        return document

    async def tell_draining(self) -> None:
        """Say that this worker takes nothing more; nobody depends on it, so that it may go unheard."""
        try:
            await self.renew(draining=True)
        except PyMongoError as error:
            logger.warning("that this worker ends was not told: %s", error)

    def since_renewal(self) -> float:
        """Seconds since this lease was last proven."""
        return asyncio.get_running_loop().time() - self._renewed

    async def until_told(self, notifier: Notifier) -> None:
        """Return once somebody has asked this worker to stop; also without redis, at the next renewal."""
        looking = asyncio.create_task(self._look(notifier))
        try:
            await self._told.wait()
        finally:
            looking.cancel()

    async def keep(self, reentered: Callable[[], Awaitable[None]]) -> None:
        """Renew for ever, for members that hold nothing: one that was declared dead enters again, and says so."""
        while True:
            await asyncio.sleep(self._interval)
            try:
                if await self.renew() is None:
                    self.member.incarnation = new_id()
                    await self.enter()
                    await when_reachable("MongoDB", reentered)
            except PyMongoError as error:
                logger.warning("the lease was not renewed: %s", error)

    async def _look(self, notifier: Notifier) -> None:
        async with notifier.subscribe("worker") as looks:
            async for look in looks:
                if look.ids.get("worker") == self.member.incarnation:
                    try:
                        self._see(await self._workers.find_one({"_id": self.member.incarnation}, {"stop": 1}))
                    except PyMongoError as error:
                        logger.warning("whether to stop is seen at the next renewal: %s", error)

    def _see(self, document: dict[str, Any] | None) -> None:
        if document is not None and document.get("stop"):
            self._told.set()
