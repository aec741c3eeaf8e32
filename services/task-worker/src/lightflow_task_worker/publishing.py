"""Storing a version, once per content."""

import asyncio

from lightflow.core.graph import OptionSpec
from lightflow.runtime import specs
from lightflow.runtime.membership import PYTHON
from lightflow.runtime.mongo import SCHEMA, Database, Document
from lightflow.runtime.payloads import INLINE, Payloads
from lightflow_task_worker.making import Made

AT_ONCE = 16
CODE = 4 * 1024 * 1024
"""Bytes of code that lie in the document of a version at the most: it may have 16 MB, and large graphs much code."""


async def is_published(database: Database, version: str) -> bool:
    """Whether the version is stored. One operation says that, and keeps what removes unused versions off it."""
    found = await database["workflows"].update_one({"_id": version}, {"$currentDate": {"loaded_at": True}})
    return found.matched_count > 0


async def publish(database: Database, payloads: Payloads, made: Made) -> None:
    """Store the version unless it is there; either way it counts as used now. Doing it twice is doing it once."""
    version = made.version
    if await is_published(database, version):
        return
    document = await _document(payloads, made, f"version:{version}")
    times = {"created_at": True, "loaded_at": True}
    await database["workflows"].update_one(
        {"_id": version}, {"$setOnInsert": document, "$currentDate": times}, upsert=True
    )


async def _document(payloads: Payloads, made: Made, scope: str) -> Document:
    return {
        "schema": SCHEMA,
        "name": made.spec.name,
        "docstring": made.spec.docstring,
        "python": PYTHON,
        "parameters": [_option(option) for option in made.spec.parameters],
        "spec": await payloads.save(specs.pack(made.spec), scope),
        "archive": await payloads.save(made.archive, scope),
        "shards": await _shards(payloads, made, scope),
    }


async def _shards(payloads: Payloads, made: Made, scope: str) -> list[Document]:
    inline = min(INLINE, CODE // max(1, len(made.shards)))
    saved: list[Document] = []
    for start in range(0, len(made.shards), AT_ONCE):
        codes = (code for *_, code in made.shards[start : start + AT_ONCE])
        saved += await asyncio.gather(*(payloads.save(code, scope, inline=inline) for code in codes))
    return [
        {"dag": dag, "first": first, "last": last, "payload": payload}
        for (dag, first, last, _), payload in zip(made.shards, saved, strict=True)
    ]


def _option(option: OptionSpec) -> Document:
    return dict(option.to_json())
