"""Answering the questions in `loads`: what version a workflow file is, and which workflows there are."""

import asyncio
import contextlib
import logging
import math
import time
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pymongo import ReturnDocument
from pymongo.errors import PyMongoError

from lightflow.core.errors import LightflowException, WorkflowImportError, WorkflowUnknown
from lightflow.models.workflow_file import find_file
from lightflow.runtime.mongo import Database, Document
from lightflow.runtime.notify import Notifier, Subscription
from lightflow.runtime.payloads import Payloads
from lightflow_task_worker.guards import Guards
from lightflow_task_worker.listing import list_workflows
from lightflow_task_worker.making import Failed, Maker, failure
from lightflow_task_worker.publishing import is_published, publish
from lightflow_task_worker.versions import extract, prune

logger = logging.getLogger(__name__)

_PAUSE = 1.0  # seconds until MongoDB is asked again after it did not answer
_REST = 0.02  # seconds from an answer to the preparation of the next: who asked has other work for the processors
_EXPECTED = 100  # sources whose last version is remembered
_CONFIRMED = 0.1  # seconds for which a confirmation is good: afterwards the version may have been removed as unused


@dataclass(frozen=True, slots=True)
class LoadSettings:
    """Where workflows and their libraries are, how long a load may take (seconds), and who loads."""

    workflows: Sequence[Path]
    libraries: Sequence[Path]
    limit: float
    cache: Path
    holder: Callable[[], str]


class Loader:
    """Answers one question at a time, beside the task slots."""

    def __init__(
        self, database: Database, payloads: Payloads, notifier: Notifier, guards: Guards, settings: LoadSettings
    ) -> None:
        self._database = database
        self._loads = database["loads"]
        self._payloads = payloads
        self._notifier = notifier
        self._settings = settings
        self._maker = Maker(guards, settings.limit)
        self._asked = asyncio.Event()
        self._busy = False
        self._rest: asyncio.TimerHandle | None = None
        self._expected: dict[Path, str] = {}

    async def serve(self) -> None:
        """Answer what is asked, until cancelled."""
        async with self._notifier.subscribe("load") as looks:
            listening = asyncio.create_task(self._listen(looks))
            self._asked.set()
            try:
                while True:
                    await self._asked.wait()
                    self._asked.clear()
                    await self._answer_all()
            finally:
                if self._rest is not None:
                    self._rest.cancel()
                listening.cancel()
                await asyncio.wait({listening})
                await self._maker.close()

    async def _listen(self, looks: Subscription) -> None:
        async for look in looks:
            if look.ids.get("state") == "done":
                continue  # what a loader says
            self._asked.set()
            if self._busy:
                with contextlib.suppress(PyMongoError):  # the asker looks again, and so does the next look
                    await self._loads.update_many({"state": "pending"}, {"$set": {"seen": True}})

    async def _answer_all(self) -> None:
        try:
            while (question := await self._claim()) is not None:
                self._busy = True
                result = await self._result(question)
                await self._answer(question, result)
                if question["kind"] == "load":
                    self._prepare_soon()
        except PyMongoError as error:
            logger.warning("no workflow can be loaded while MongoDB does not answer: %s", error)
            asyncio.get_running_loop().call_later(_PAUSE, self._asked.set)
        finally:
            self._busy = False

    async def _claim(self) -> Document | None:
        """Take a question; one that is this worker's already is one whose claim was not answered."""
        holder = self._settings.holder()
        return await self._loads.find_one_and_update(
            {"$or": [{"state": "pending"}, {"state": "claimed", "holder": holder}]},
            {"$set": {"state": "claimed", "holder": holder, "seen": True}},
            sort=[("created_at", 1)],
            return_document=ReturnDocument.AFTER,
        )

    async def _answer(self, question: Document, result: Document) -> None:
        await self._loads.update_one(
            {"_id": question["_id"], "state": "claimed", "holder": question["holder"]},
            {"$set": {"state": "done", "result": result}, "$currentDate": {"finished_at": True}},
        )
        await self._notifier.publish("load", load=str(question["_id"]), state="done")

    async def _result(self, question: Document) -> Document:
        """The answer; whatever is wrong with what was asked, or with what it led to, is one too."""
        try:
            if question["kind"] == "list":
                return {"workflows": await asyncio.to_thread(list_workflows, self._settings.workflows)}
            return await self._load(question["source"])
        except PyMongoError:
            raise
        except LightflowException as error:
            return {"error": failure(error).error}
        except Exception as error:
            logger.exception("the question %s could not be answered", question["_id"])
            internal = LightflowException(f"The worker failed to load it: {type(error).__name__}: {error}")
            return {"error": failure(internal).error}

    async def _load(self, source: dict[str, Any]) -> Document:
        libraries = self._settings.libraries
        if "upload" in source:
            file = await self._uploaded(str(source["upload"]))
            libraries = (file.parent, *libraries)
            name = file.stem
        else:
            name = str(source["name"])
            file = await asyncio.to_thread(find_file, name, self._settings.workflows)
        # Most files are as they were: while one is executed, its last version is confirmed.
        expected = self._expected.pop(file, None)
        making = self._maker.make(file, name, libraries)
        made, until = await asyncio.gather(making, self._confirmed_until(expected))
        if isinstance(made, Failed):
            return {"error": made.error}
        version = made.version
        if version != expected or time.monotonic() > until:
            await publish(self._database, self._payloads, made)
        self._expect(file, version)
        return {"version": version}

    async def _confirmed_until(self, version: str | None) -> float:
        """Until when, on the monotonic clock, a version is known to be published; minus infinity if it is not."""
        until = time.monotonic() + _CONFIRMED
        try:
            return until if version is not None and await is_published(self._database, version) else -math.inf
        except PyMongoError as error:
            logger.debug("version %s could not be confirmed: %s", version, error)
            return -math.inf

    def _prepare_soon(self) -> None:
        if self._rest is not None:
            self._rest.cancel()
        self._rest = asyncio.get_running_loop().call_later(_REST, self._maker.prepare)

    def _expect(self, file: Path, version: str) -> None:
        """That this will be the file's version the next time, too; of many files it is forgotten."""
        self._expected[file] = version
        if len(self._expected) > _EXPECTED:
            del self._expected[next(iter(self._expected))]

    async def _uploaded(self, handle: str) -> Path:
        """The workflow file of an upload, extracted where the same upload always lies."""
        upload = await self._database["uploads"].find_one({"_id": handle})
        if upload is None:
            raise WorkflowUnknown(handle)
        name, folder = str(upload["name"]), self._settings.cache / "uploads" / handle
        if not folder.is_dir():
            archive = await self._payloads.load(upload["archive"])
            try:
                await asyncio.to_thread(extract, archive, folder)
            except zipfile.BadZipFile as error:
                raise WorkflowImportError(f"What was uploaded for {name!r} is no zip archive: {error}") from error
        await asyncio.to_thread(prune, folder.parent, folder)
        return folder.joinpath(*name.split(".")).with_suffix(".py")
