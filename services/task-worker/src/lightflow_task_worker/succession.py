"""A worker that starts where another of its name died: end what that one left, take back what it held."""

import asyncio
import logging
import os

from lightflow.runtime.membership import Member, process_started
from lightflow.runtime.mongo import Database, Document
from lightflow.runtime.takeback import TakeBack
from lightflow_task_worker.leftovers import end_orphans, marker

logger = logging.getLogger(__name__)


async def succeed(db: Database, member: Member, identity: str, take_back: TakeBack) -> None:
    """Take over from the dead incarnations of this worker on this host, at once instead of after their lease."""
    same = {"service": member.service.value, "name": member.name, "host": member.host}
    others = {**same, "_id": {"$ne": member.incarnation}}
    for worker in [document async for document in db["workers"].find(others)]:
        if not _lives(worker):
            ended = await asyncio.to_thread(end_orphans, worker.get("marker") or marker(identity, worker["_id"]), ())
            logger.info("taking over from worker %s; processes ended: %s", worker["_id"], ended or "none")
            await take_back.from_dead(worker["_id"])


def _lives(worker: Document) -> bool:
    """Whether this incarnation's process exists; its start time tells it from another of the same process id."""
    return worker["pid"] != os.getpid() and process_started(worker["pid"]) == worker.get("pid_started")
