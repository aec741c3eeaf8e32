"""Asking a task worker to load a workflow file, or to list the workflow folders.

The question is a document of `loads`. Who asks for a file while it is being loaded waits a moment for that, and
shares the next load with all who ask meanwhile: the file is executed after each of them has asked, and a crowd costs
few loads.
"""

import asyncio
import contextlib
from dataclasses import dataclass, field
from typing import Any

from pymongo.errors import PyMongoError

from lightflow.core import errors as family
from lightflow.core.errors import LightflowException, LoadTimeout, NoWorkerAvailable, WorkflowImportError
from lightflow.core.ids import new_id
from lightflow.runtime.mongo import NOW, SCHEMA, Document
from lightflow.runtime.notify import Subscription
from lightflow_scheduler.collaborators import Collaborators
from lightflow_scheduler.waiting import next_look

UNSEEN_SECONDS = 2.0
RECHECK_SECONDS = 1.0
TURN_SECONDS = 1.0
"""How long a question is kept back for an equal one that was put before."""
MARGIN_SECONDS = 10.0
"""How much longer than the loader's own limit an answer may take: it may wait for others."""


@dataclass(frozen=True, slots=True)
class Question:
    """What a worker is asked; `label` is what a person calls it."""

    kind: str
    source: dict[str, str] = field(default_factory=dict)
    label: str = ""

    @property
    def purpose(self) -> str:
        return f"load workflow {self.label!r}" if self.kind == "load" else "list the workflow folders"


@dataclass(slots=True)
class Shared:
    """The answer that all wait for who asked the same until it was put, and the id that the load has then."""

    answer: asyncio.Task[Document]
    load: str = field(default_factory=new_id)


class Loading:
    """Puts questions and waits for their answers."""

    def __init__(self, with_: Collaborators) -> None:
        self._loads = with_.db["loads"]
        self._workers = with_.db["workers"]
        self._alive = with_.alive
        self._notifier = with_.notifier
        self._timeout = with_.load_timeout
        self._unasked: dict[tuple[str, ...], Shared] = {}
        self._asked: dict[tuple[str, ...], Shared] = {}

    async def load(self, source: dict[str, str], label: str) -> str:
        """The version of a workflow file; raises what its loading raised, LoadTimeout, NoWorkerAvailable."""
        return str((await self._answer(Question("load", source, label)))["version"])

    async def list(self) -> list[Document]:
        """The workflow files as {name, docstring, error}; none of them is executed."""
        return list((await self._answer(Question("list")))["workflows"])

    async def _answer(self, question: Question) -> Document:
        key = _key(question)
        if (shared := self._unasked.get(key)) is None:
            shared = self._unasked[key] = Shared(asyncio.create_task(self._shared(key, question)))
            shared.answer.add_done_callback(_retrieve)
        result = await asyncio.shield(shared.answer)
        if result.get("error"):
            raise error_of(result["error"])
        return result

    async def _shared(self, key: tuple[str, ...], question: Question) -> Document:
        """The answer to a question, after that to an equal one, or the same where nobody has begun with that."""
        asked_at, before = asyncio.get_running_loop().time(), self._asked.get(key)
        if before is not None:
            await asyncio.wait({before.answer}, timeout=TURN_SECONDS)
        mine = self._unasked.pop(key)
        if before is not None and not before.answer.done() and await self._is_pending(before.load):
            return await asyncio.shield(before.answer)
        self._asked[key] = mine
        try:
            async with self._notifier.subscribe("load") as looks:
                await self._ask(mine.load, question)
                return await self._wait(mine.load, question, looks, asked_at)
        except BaseException:
            await self._take_back(mine.load)
            raise
        finally:
            if self._asked.get(key) is mine:
                del self._asked[key]

    async def _is_pending(self, load: str) -> bool:
        return await self._loads.find_one({"_id": load, "state": "pending"}, {"_id": 1}) is not None

    async def _ask(self, load: str, question: Question) -> None:
        document = {
            "schema": SCHEMA,
            "kind": question.kind,
            "source": question.source,
            "state": "pending",
            "holder": None,
            "seen": False,
            "result": None,
        }
        new = {"$mergeObjects": [{"$literal": {"_id": load, **document}}, {"created_at": NOW}]}
        await self._loads.update_one({"_id": load}, [{"$replaceWith": new}], upsert=True)
        await self._notifier.publish("load", load=load, state="asked")

    async def _wait(self, load: str, question: Question, looks: Subscription, asked_at: float) -> Document:
        clock = asyncio.get_running_loop().time
        unseen, deadline = asked_at + UNSEEN_SECONDS, asked_at + self._timeout + MARGIN_SECONDS
        seen = False
        while True:
            until = min(deadline if seen else unseen, clock() + RECHECK_SECONDS)
            await next_look(looks, until, load=load, state="done")
            document = await self._loads.find_one({"_id": load})
            if document is not None and document["state"] == "done":
                return dict(document["result"])
            seen = document is not None and (document["seen"] or document["state"] == "claimed")
            if clock() >= unseen and not seen:
                raise NoWorkerAvailable(question.purpose)
            if clock() >= deadline:
                raise LoadTimeout(question.label, self._timeout)
            if clock() >= until and document is not None and await self._released(document):
                unseen = clock() + UNSEEN_SECONDS

    async def _released(self, load: Document) -> bool:
        """Give a load to the other workers whose holder is gone; whether it was given."""
        if load["state"] != "claimed":
            return False
        holder = await self._workers.find_one({"_id": load["holder"]})
        if holder is not None and self._alive(holder):
            return False
        held = {"_id": load["_id"], "state": "claimed", "holder": load["holder"]}
        given = await self._loads.update_one(held, {"$set": {"state": "pending", "holder": None, "seen": False}})
        await self._notifier.publish("load", load=load["_id"])
        return bool(given.matched_count)

    async def _take_back(self, load: str) -> None:
        """Have a question that nobody waits for any more left alone, unless a worker is at it."""
        with contextlib.suppress(PyMongoError):  # what went wrong before is told, and it goes by itself in an hour
            await self._loads.delete_one({"_id": load, "state": "pending"})


def _retrieve(answer: "asyncio.Task[Document]") -> None:
    """Those who asked may have left: then what went wrong is nobody's concern."""
    if not answer.cancelled():
        answer.exception()


def error_of(error: Document) -> LightflowException:
    """What a loader reported, as the error it was; anything that is not of our family broke the user's file."""
    kind, fields = error.get("type", ""), dict(error.get("fields") or {})
    fields.setdefault("message", error.get("message") or f"{kind} without a message")
    cls: Any = getattr(family, kind, None)
    if isinstance(cls, type) and issubclass(cls, LightflowException):
        return LightflowException.from_json({"type": kind, "fields": fields})
    return WorkflowImportError(f"{kind}: {fields['message']}")


def _key(question: Question) -> tuple[str, ...]:
    return (question.kind, *(f"{name}={value}" for name, value in question.source.items()))
