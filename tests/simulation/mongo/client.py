"""The part of the driver that the services use, speaking to a server in memory over a line that may fail."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, Self

from pymongo.errors import BulkWriteError, DuplicateKeyError
from tests.simulation.mongo.server import Server, Steps
from tests.simulation.mongo.stages import projected
from tests.simulation.mongo.updates import Update
from tests.simulation.mongo.values import Document, copied, field, order


class Line(Protocol):
    """Between one process and the server."""

    async def run(self, steps: Steps, *, write: bool) -> Any:
        """What the operation gives, if it gets through and its answer comes back."""
        ...


@dataclass(frozen=True, slots=True)
class UpdateResult:
    matched_count: int


@dataclass(frozen=True, slots=True)
class DeleteResult:
    deleted_count: int


class Database:
    """Collections by name."""

    codec_options = None

    def __init__(self, server: Server, line: Line) -> None:
        self._server = server
        self._line = line

    def __getitem__(self, name: str) -> "Collection":
        return Collection(self._server, self._line, name)

    def with_options(self, **_: Any) -> Self:
        return self


class Cursor:
    """The documents that were asked for, fetched at the first look."""

    def __init__(self, server: Server, line: Line, steps: Steps) -> None:
        self._server = server
        self._line = line
        self._steps = steps
        self._sort: list[tuple[str, int]] = []
        self._limit: int | None = None
        self._rest: list[Document] | None = None

    def sort(self, key: str | list[tuple[str, int]], direction: int = 1) -> Self:
        self._sort = [(key, direction)] if isinstance(key, str) else key
        return self

    def limit(self, count: int) -> Self:
        self._limit = count or None
        return self

    async def to_list(self, length: int | None = None) -> list[Document]:
        found = await self._fetched()
        batch, self._rest = found[:length], found[length:] if length else []
        return batch

    async def __aiter__(self) -> AsyncIterator[Document]:
        for document in await self._fetched():
            yield document

    async def _fetched(self) -> list[Document]:
        if self._rest is None:
            found = await self._line.run(self._steps, write=False)
            for name, direction in reversed(self._sort):
                found = sorted(found, key=lambda document: order(field(document, name)), reverse=direction < 0)
            self._rest = found[: self._limit]
        return self._rest


class Collection:
    """One collection; each call is one command over the line."""

    def __init__(self, server: Server, line: Line, name: str) -> None:
        self._server = server
        self._line = line
        self._name = name

    @property
    def name(self) -> str:
        return self._name

    def with_options(self, **_: Any) -> Self:
        return self

    def find(self, query: Document | None = None, projection: Document | None = None, **_: Any) -> Cursor:
        return Cursor(self._server, self._line, self._found(query or {}, projection))

    async def aggregate(self, pipeline: list[Document], **_: Any) -> Cursor:
        cursor = Cursor(self._server, self._line, self._server.aggregate(self._name, pipeline))
        await cursor._fetched()
        return cursor

    async def find_one(self, query: Document, projection: Document | None = None) -> Document | None:
        found = await self._line.run(self._found(query, projection), write=False)
        return found[0] if found else None

    async def distinct(self, name: str, query: Document) -> list[Any]:
        found = await self._line.run(self._found(query, {name: 1}), write=False)
        return list(dict.fromkeys(document[name] for document in found if name in document))

    async def insert_one(self, document: Document) -> None:
        await self._line.run(self._inserted(document), write=True)

    async def insert_many(self, documents: Any, ordered: bool = True) -> None:
        await self._line.run(self._server.insert(self._name, list(documents), ordered), write=True)

    async def update_one(
        self,
        query: Document,
        update: Update,
        upsert: bool = False,
        array_filters: Sequence[Document] | None = None,
    ) -> UpdateResult:
        steps = self._server.update(self._name, query, update, upsert=upsert, array_filters=array_filters or ())
        pairs = await self._line.run(steps, write=True)
        return UpdateResult(sum(before is not None for before, _ in pairs))

    async def update_many(self, query: Document, update: Update) -> UpdateResult:
        return UpdateResult(
            len(await self._line.run(self._server.update(self._name, query, update, many=True), write=True))
        )

    async def find_one_and_update(
        self,
        query: Document,
        update: Update,
        *,
        projection: Document | None = None,
        upsert: bool = False,
        sort: Sequence[tuple[str, int]] = (),
        return_document: bool = False,
    ) -> Document | None:
        steps = self._server.update(self._name, query, update, upsert=upsert, sort=sort)
        pairs = await self._line.run(steps, write=True)
        found = pairs[0][1 if return_document else 0] if pairs else None
        return None if found is None else copied(projected(found, projection, self._server.now()))

    async def delete_one(self, query: Document) -> DeleteResult:
        return DeleteResult(await self._line.run(self._server.delete(self._name, query, many=False), write=True))

    async def delete_many(self, query: Document) -> DeleteResult:
        return DeleteResult(await self._line.run(self._server.delete(self._name, query, many=True), write=True))

    async def bulk_write(self, requests: Sequence[Any], ordered: bool = True) -> UpdateResult:
        return UpdateResult(await self._line.run(self._server.bulk(self._name, requests, ordered), write=True))

    def _found(self, query: Document, projection: Document | None) -> Steps:
        now = self._server.now()
        return [copied(projected(document, projection, now)) for document in self._server.find(self._name, query)]
        yield  # a generator, as the operations of the server are

    def _inserted(self, document: Document) -> Steps:
        try:
            yield from self._server.insert(self._name, [document], True)
        except BulkWriteError as error:
            raise DuplicateKeyError(error.details["writeErrors"][0]["errmsg"]) from error
