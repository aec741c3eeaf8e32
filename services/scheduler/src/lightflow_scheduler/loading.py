"""Asking a task worker to load a workflow file, or to list the workflow folders.

The question is a document of `loads`. Whoever asks for a file that nobody has begun to load shares that load: the file
is still executed after the question was put.
"""

import asyncio
from dataclasses import dataclass, field
from typing import Any

from lightflow.core import errors as family
from lightflow.core.errors import LightflowException, LoadTimeout, NoWorkerAvailable, WorkflowImportError
from lightflow.core.ids import new_id
from lightflow.runtime.mongo import NOW, SCHEMA, Document
from lightflow.runtime.notify import Subscription
from lightflow_scheduler.collaborators import Collaborators
from lightflow_scheduler.waiting import next_look

UNSEEN_SECONDS = 2.0
RECHECK_SECONDS = 1.0
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


class Loading:
    """Puts questions and waits for their answers."""

    def __init__(self, with_: Collaborators) -> None:
        self._loads = with_.db["loads"]
        self._workers = with_.db["workers"]
        self._alive = with_.alive
        self._notifier = with_.notifier
        self._timeout = with_.load_timeout
        self._pending: dict[tuple[str, ...], asyncio.Task[str]] = {}

    async def load(self, source: dict[str, str], label: str) -> str:
        """The version of a workflow file; raises what its loading raised, LoadTimeout, NoWorkerAvailable."""
        return str((await self._answer(Question("load", source, label)))["version"])

    async def list(self) -> list[Document]:
        """The workflow files as {name, docstring, error}; none of them is executed."""
        return list((await self._answer(Question("list")))["workflows"])

    async def _answer(self, question: Question) -> Document:
        async with self._notifier.subscribe("load") as looks:
            load = await self._share(question)
            try:
                result = await self._wait(load, question, looks)
            except BaseException:
                await self._leave(load)
                raise
            finally:
                self._forget(question, load)
        if result.get("error"):
            raise error_of(result["error"])
        return result

    async def _share(self, question: Question) -> str:
        """The load that answers this question: one that nobody has begun, else a new one."""
        key, tried = _key(question), None
        while (asking := self._pending.get(key)) is not None and asking is not tried:
            load = await asyncio.shield(asking)
            shared = await self._loads.update_one({"_id": load, "state": "pending"}, {"$inc": {"askers": 1}})
            if shared.matched_count:
                return load
            tried = asking
        asking = self._pending[key] = asyncio.create_task(self._ask(question))
        asking.add_done_callback(lambda asked: self._forget_failed(key, asked))
        return await asyncio.shield(asking)

    def _forget_failed(self, key: tuple[str, ...], asked: asyncio.Task[str]) -> None:
        """Nobody shares a question that could not be asked, whether its asker is still there or not."""
        if (asked.cancelled() or asked.exception() is not None) and self._pending.get(key) is asked:
            del self._pending[key]

    async def _ask(self, question: Question) -> str:
        load = new_id()
        document = {
            "schema": SCHEMA,
            "kind": question.kind,
            "source": question.source,
            "state": "pending",
            "holder": None,
            "seen": False,
            "result": None,
            "askers": 1,
        }
        new = {"$mergeObjects": [{"$literal": {"_id": load, **document}}, {"created_at": NOW}]}
        await self._loads.update_one({"_id": load}, [{"$replaceWith": new}], upsert=True)
        await self._notifier.publish("load", load=load)
        return load

    async def _wait(self, load: str, question: Question, looks: Subscription) -> Document:
        clock = asyncio.get_running_loop().time
        begun = clock()
        unseen, deadline = begun + UNSEEN_SECONDS, begun + self._timeout + MARGIN_SECONDS
        while True:
            document = await self._loads.find_one({"_id": load})
            if document is not None and document["state"] == "done":
                return dict(document["result"])
            seen = document is not None and (document["seen"] or document["state"] == "claimed")
            if clock() >= unseen and not seen:
                raise NoWorkerAvailable(question.purpose)
            if clock() >= deadline:
                raise LoadTimeout(question.label, self._timeout)
            until = min(deadline if seen else unseen, clock() + RECHECK_SECONDS)
            await next_look(looks, until, load=load)
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

    def _forget(self, question: Question, load: str) -> None:
        asking = self._pending.get(_key(question))
        if asking is not None and asking.done() and asking.result() == load:
            del self._pending[_key(question)]

    async def _leave(self, load: str) -> None:
        """Stop waiting; a question that nobody waits for any more is taken back, unless a worker is at it."""
        await self._loads.update_one({"_id": load}, {"$inc": {"askers": -1}})
        await self._loads.delete_one({"_id": load, "state": "pending", "askers": {"$lte": 0}})


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
