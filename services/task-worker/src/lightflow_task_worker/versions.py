"""The versions that this worker runs, read once and kept while they are used.

A version never changes. Its archive is extracted once per host, into a folder named by the version.
"""

import asyncio
import contextlib
import os
import shutil
import tempfile
import time
from bisect import bisect_right
from collections.abc import Awaitable, Callable
from pathlib import Path

from lightflow.core.errors import WorkflowUnknown
from lightflow.core.graph import WorkflowSpec
from lightflow.runtime import sources, specs
from lightflow.runtime.kept import Kept
from lightflow.runtime.mongo import Database, Document
from lightflow.runtime.payloads import Payloads

KEPT_VERSIONS = 64
KEPT_SHARDS = 64 * 1024 * 1024  # bytes
UNUSED_SECONDS = 7 * 24 * 3600.0


class Version:
    """A version: its graph, the Python it was made with, the folder of its sources, and its shards when asked for."""

    def __init__(self, document: Document, spec: WorkflowSpec, folder: Path | None, load: "_Load") -> None:
        self.id: str = document["_id"]
        self.spec = spec
        self.folder = None if folder is None else str(folder)
        self._shards: dict[str, list[Document]] = {}
        for shard in sorted(document["shards"], key=_first):
            self._shards.setdefault(shard["dag"], []).append(shard)
        self._load = load

    async def shard(self, dag: str, index: int) -> bytes:
        """The verified code of some tasks of the DAG, that of the task at `index` among them."""
        shards = self._shards.get(dag, [])
        place = bisect_right(shards, index, key=_first) - 1
        if place < 0 or shards[place]["last"] < index:
            raise WorkflowUnknown(f"{self.spec.name}/{dag}/{index}")
        return await self._load((self.id, dag, _first(shards[place])), shards[place]["payload"])


def _first(shard: Document) -> int:
    first: int = shard["first"]
    return first


_Load = Callable[[tuple[str, str, int], Document], Awaitable[bytes]]


class Versions:
    """Reads versions and their shards; archives are extracted below `cache`."""

    def __init__(self, database: Database, payloads: Payloads, cache: Path) -> None:
        self._documents = database["workflows"]
        self._payloads = payloads
        self._cache = cache / "versions"
        self._versions = Kept[str, Version](KEPT_VERSIONS)
        self._shards = Kept[tuple[str, str, int], bytes](KEPT_SHARDS, len)

    async def get(self, version: str) -> Version:
        """The version; raises WorkflowUnknown, and PayloadForged when it was tampered with."""
        found = await self._versions.get(version, lambda: self._read(version))
        try:
            if found.folder is not None:
                os.utime(found.folder)  # it is used: nobody prunes it
        except FileNotFoundError:
            self._versions.drop(version)
            found = await self._versions.get(version, lambda: self._read(version))
        return found

    async def _read(self, version: str) -> Version:
        document = await self._documents.find_one({"_id": version})
        if document is None:
            raise WorkflowUnknown(version)
        spec = specs.unpack(await self._payloads.load(document["spec"]))
        return Version(document, spec, await self._extract(document), self._load_shard)

    async def _load_shard(self, key: tuple[str, str, int], payload: Document) -> bytes:
        return await self._shards.get(key, lambda: self._payloads.load(payload))

    async def _extract(self, document: Document) -> Path | None:
        if not document.get("archive"):
            return None
        folder = self._cache / str(document["_id"])
        if not folder.is_dir():
            archive = await self._payloads.load(document["archive"])
            await asyncio.to_thread(extract, archive, folder)
            await asyncio.to_thread(prune, self._cache, folder)
        return folder


def extract(archive: bytes, folder: Path) -> None:
    """Extract an archive; the folder appears when it is complete, whoever else extracts the same."""
    folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    making = Path(tempfile.mkdtemp(prefix=".making-", dir=folder.parent))
    try:
        sources.unpack(archive, making)
        making.rename(folder)
    except OSError:
        if not folder.is_dir():
            raise
    finally:
        shutil.rmtree(making, ignore_errors=True)


def prune(cache: Path, used: Path) -> None:
    """Remove the folders that no worker on this host has used for days."""
    os.utime(used)
    before = time.time() - UNUSED_SECONDS
    for folder in cache.iterdir():
        with contextlib.suppress(FileNotFoundError):  # another worker was faster
            if folder.stat().st_mtime < before:
                shutil.rmtree(folder, ignore_errors=True)
