"""Workflows as the control service sees them: deployed versions, files that task workers load, uploads."""

import hashlib
import io
import zipfile
from collections.abc import AsyncIterable, Sequence
from typing import Any, Final

from lightflow.control.v1 import control_pb2 as pb
from lightflow.core.errors import InvalidRequest, WorkflowUnknown
from lightflow.core.ids import new_id
from lightflow.runtime.batches import Batches
from lightflow.runtime.kept import Kept
from lightflow.runtime.mongo import NOW, SCHEMA, Document
from lightflow.runtime.specs import KEPT, Specs
from lightflow_scheduler import checks, messages, paging
from lightflow_scheduler.collaborators import Collaborators
from lightflow_scheduler.loading import Loading
from lightflow_scheduler.values import collect

ARCHIVE_LIMIT: Final = 256 * 1024 * 1024

Source = pb.StartRunRequest | pb.GetWorkflowRequest | pb.DeployWorkflowRequest


class Workflows:
    """Resolves names and uploads to versions, and shows them."""

    def __init__(self, with_: Collaborators) -> None:
        self._db = with_.db
        self._payloads = with_.payloads
        self._loading = Loading(with_)
        self._specs = Specs(with_.db, with_.payloads)
        self._versions = Kept[str, Document](KEPT)
        self._deployed = Batches(self._deployed_as, with_.turns)

    async def resolve(self, request: Source) -> Document:
        """The version document that a start uses: the deployed one, else the file as it is now."""
        name, upload = _source(request)
        version = (await self._deployed.one(name) if name else None) or await self._load(name, upload)
        return await self._version(version, name or upload)

    async def spec(self, version: str) -> Any:
        """The graph of a version."""
        return await self._specs.get(version)

    async def get(self, request: pb.GetWorkflowRequest) -> pb.Workflow:
        """A workflow with its graph."""
        document = await self.resolve(request)
        return await self._shown(document, await self._is_deployed(document))

    async def deploy(self, request: pb.DeployWorkflowRequest) -> pb.Workflow:
        """Load a workflow, whatever is deployed under its name, and keep that version for later starts."""
        name, upload = _source(request)
        document = await self._version(await self._load(name, upload), name or upload)
        deployment = {"schema": SCHEMA, "version": document["_id"]}
        await self._db["deployments"].update_one({"_id": document["name"]}, {"$set": deployment}, upsert=True)
        return await self._shown(document, True)

    async def undeploy(self, name: str) -> None:
        """From now on starts of that name load its file again."""
        deleted = await self._db["deployments"].delete_one({"_id": checks.name("name", name)})
        if not deleted.deleted_count:
            known = [entry["_id"] async for entry in self._db["deployments"].find({}, {"_id": 1})]
            raise WorkflowUnknown(name, tuple(known), ("the deployed workflows",))

    async def page(self, request: pb.ListWorkflowsRequest) -> pb.ListWorkflowsResponse:
        """Workflows by name; one that is deployed hides the file of that name."""
        size = paging.size_of(request.page_size)
        found = {each["name"]: messages.unloaded(each) for each in await self._loading.list()}
        deployed = {entry["version"]: entry["_id"] async for entry in self._db["deployments"].find()}
        fields = {"spec": 0, "shards": 0, "archive": 0}
        async for version in self._db["workflows"].find({"_id": {"$in": list(deployed)}}, fields):
            found[deployed[version["_id"]]] = messages.workflow(version, True)
        shown, token = paging.page(list(found.values()), lambda each: each.name, size, request.page_token)
        return pb.ListWorkflowsResponse(workflows=shown, next_page_token=token)

    async def upload(self, requests: AsyncIterable[pb.UploadWorkflowRequest]) -> str:
        """Keep a source archive for an hour; the handle that names it."""
        first = await anext(aiter(requests), None)
        name = checks.name("name", first.name if first else "")
        archive = await collect(first.chunk if first else b"", requests, ARCHIVE_LIMIT, "The source archive")
        _check_archive(name, archive)
        handle = hashlib.sha256(name.encode() + b"\0" + archive).hexdigest()
        # A scope of its own each time: what an earlier upload of the same archive left is collected without this one.
        field = await self._payloads.save(archive, f"upload:{handle}:{new_id()}")
        facts = {"schema": SCHEMA, "name": name, "archive": field}
        update = [{"$set": {**{key: {"$literal": value} for key, value in facts.items()}, "created_at": NOW}}]
        await self._db["uploads"].update_one({"_id": handle}, update, upsert=True)
        return handle

    async def _load(self, name: str, upload: str) -> str:
        if name:
            return await self._loading.load({"name": name}, name)
        known = await self._db["uploads"].find_one({"_id": upload}, {"name": 1})
        if known is None:
            raise InvalidRequest("upload", "there is no such upload, or it is older than an hour; upload it again")
        return await self._loading.load({"upload": upload}, known["name"])

    async def _deployed_as(self, names: Sequence[str]) -> list[str | None]:
        found = {each["_id"]: each["version"] async for each in self._db["deployments"].find({"_id": {"$in": names}})}
        return [found.get(name) for name in names]

    async def _version(self, version: str, label: str) -> Document:
        async def read() -> Document:
            document = await self._db["workflows"].find_one({"_id": version}, {"spec": 0, "shards": 0, "archive": 0})
            if document is None:
                raise WorkflowUnknown(label)
            return document

        return await self._versions.get(version, read)

    async def _is_deployed(self, document: Document) -> bool:
        entry = await self._db["deployments"].find_one({"_id": document["name"]})
        return entry is not None and bool(entry["version"] == document["_id"])

    async def _shown(self, document: Document, deployed: bool) -> pb.Workflow:
        return messages.workflow(document, deployed, await self._specs.get(document["_id"]))


def _source(request: Source) -> tuple[str, str]:
    """(name, upload), one of which is empty."""
    kind = request.WhichOneof("source")
    if kind is None:
        raise InvalidRequest("source", "say which workflow: its name, or the handle of an upload")
    if kind == "upload":
        return "", checks.given("upload", request.upload)
    return checks.name("name", request.name), ""


def _check_archive(name: str, archive: bytes) -> None:
    try:
        files = zipfile.ZipFile(io.BytesIO(archive)).namelist()
    except zipfile.BadZipFile as error:
        raise InvalidRequest("chunk", f"the source archive is no zip archive ({error})") from error
    if not {f"{name}.py", f"{name.replace('.', '/')}.py"} & set(files):
        raise InvalidRequest("chunk", f"the source archive has no file {name}.py")
