"""Versions as data: the specs that scheduler and dag-runner decide by. A version never changes, so one read serves."""

import json
import zlib

from lightflow.core.errors import WorkflowUnknown
from lightflow.core.graph import WorkflowSpec
from lightflow.runtime.kept import Kept
from lightflow.runtime.mongo import Database
from lightflow.runtime.payloads import Payloads

KEPT = 128


def pack(spec: WorkflowSpec) -> bytes:
    """A spec as a version keeps it."""
    return zlib.compress(json.dumps(spec.to_json(), separators=(",", ":")).encode())


def unpack(data: bytes) -> WorkflowSpec:
    """The spec that was packed."""
    return WorkflowSpec.from_json(json.loads(zlib.decompress(data)))


class Specs:
    """Reads specs by version, and keeps those used last."""

    def __init__(self, db: Database, payloads: Payloads) -> None:
        self._versions = db["workflows"]
        self._payloads = payloads
        self._kept = Kept[str, WorkflowSpec](KEPT)

    async def get(self, version: str) -> WorkflowSpec:
        """The spec of a version; raises WorkflowUnknown, and PayloadForged when it was tampered with."""
        return await self._kept.get(version, lambda: self._read(version))

    async def _read(self, version: str) -> WorkflowSpec:
        document = await self._versions.find_one({"_id": version}, {"spec": 1})
        if document is None:
            raise WorkflowUnknown(version)
        return unpack(await self._payloads.load(document["spec"]))
