"""A MongoDB in memory: documents by collection, changed one at a time. Every change is shown to `observers`.

Operations are generators: where one yields, another may come in between, as it may on the real server. No operation is
atomic over more than one document.
"""

from collections.abc import Callable, Generator, Iterable, Sequence
from datetime import datetime
from itertools import count, islice
from typing import Any, cast

from bson.objectid import ObjectId
from bson.timestamp import Timestamp
from pymongo import UpdateMany, UpdateOne
from pymongo.errors import BulkWriteError, DuplicateKeyError
from tests.simulation.mongo import stages
from tests.simulation.mongo.expressions import EvaluationError
from tests.simulation.mongo.queries import matches
from tests.simulation.mongo.updates import Update, inserted, updated
from tests.simulation.mongo.values import Document, copied, order

Steps = Generator[None, None, Any]
Observer = Callable[[str, Document | None, Document | None], None]
"""(collection, document before, document after); None where there is none."""

DUPLICATE = 11000


class Server:
    """The data, and what may be done to them."""

    def __init__(self, clock: Callable[[], datetime], unique: Sequence[tuple[str, str]] = ()) -> None:
        self.now = clock
        self.data: dict[str, dict[Any, Document]] = {}
        self.observers: list[Observer] = []
        self._unique = unique
        self._ticks = count(1)

    def documents(self, collection: str) -> dict[Any, Document]:
        return self.data.setdefault(collection, {})

    def candidates(self, collection: str, query: Document) -> list[Document]:
        """The documents that may match; by their id at once."""
        documents = self.documents(collection)
        wanted = query.get("_id")
        if isinstance(wanted, dict) and set(wanted) == {"$in"}:
            return [documents[each] for each in wanted["$in"] if each in documents]
        if wanted is not None and not isinstance(wanted, dict):
            return [documents[wanted]] if wanted in documents else []
        return list(documents.values())

    def find(self, collection: str, query: Document) -> list[Document]:
        now = self.now()
        return [document for document in self.candidates(collection, query) if matches(document, query, now)]

    def aggregate(self, collection: str, pipeline: list[Document]) -> Steps:
        found: list[Document] = list(self.documents(collection).values())
        for stage in pipeline:
            ((name, operand),) = stage.items()
            if name == "$unionWith":
                yield
                found += yield from self.aggregate(operand["coll"], operand.get("pipeline", []))
            else:
                found = stages.apply(name, operand, found, self.now(), self.data)
        return copied(found)

    def insert(self, collection: str, documents: Iterable[Document], ordered: bool) -> Steps:
        failures = []
        for index, document in enumerate(documents):
            if index:
                yield
            try:
                self._put(collection, None, self._stamped({"_id": ObjectId(), **copied(document)}))
            except DuplicateKeyError as error:
                failures.append({"index": index, "code": DUPLICATE, "errmsg": str(error)})
                if ordered:
                    break
        if failures:
            raise BulkWriteError({"writeErrors": failures})

    def update(
        self,
        collection: str,
        query: Document,
        update: Update,
        *,
        many: bool = False,
        upsert: bool = False,
        array_filters: Iterable[Document] = (),
        sort: Sequence[tuple[str, int]] = (),
    ) -> Steps:
        """Pairs of a document before and after."""
        found = self._sorted(self.find(collection, query), sort)
        pairs: list[tuple[Document | None, Document]] = []
        for index, document in enumerate(found if many else islice(found, 1)):
            if index:
                yield
            current = self.documents(collection).get(document["_id"])
            if current is None or (index and not matches(current, query, self.now())):
                continue
            after = updated(current, update, self.now(), array_filters or ())
            self._put(collection, current, after)
            pairs.append((current, after))
        if not pairs and upsert:
            after = inserted(query, update, self.now())
            self._put(collection, None, after)
            pairs.append((None, after))
        return pairs

    def delete(self, collection: str, query: Document, *, many: bool) -> Steps:
        deleted = 0
        for document in self.find(collection, query)[: None if many else 1]:
            if deleted:
                yield
            if self.documents(collection).pop(document["_id"], None) is not None:
                self._show(collection, document, None)
                deleted += 1
        return deleted

    def bulk(self, collection: str, requests: Sequence[UpdateOne | UpdateMany], ordered: bool) -> Steps:
        """How many documents matched. Where it is ordered the first step that fails ends it."""
        matched, failures = 0, []
        for index, request in enumerate(requests):
            if index:
                yield
            many = isinstance(request, UpdateMany)
            query, update, filters = dict(request._filter), cast("Update", request._doc), request._array_filters or ()
            how: dict[str, Any] = {"upsert": bool(request._upsert), "array_filters": filters}
            try:
                pairs = yield from self.update(collection, query, update, many=many, **how)
                matched += sum(before is not None for before, _ in pairs)
            except (DuplicateKeyError, EvaluationError) as error:
                failures.append({"index": index, "code": DUPLICATE, "errmsg": str(error)})
                if ordered:
                    break
        if failures:
            raise BulkWriteError({"writeErrors": failures, "nMatched": matched})
        return matched

    def _put(self, collection: str, before: Document | None, after: Document) -> None:
        documents = self.documents(collection)
        if before is None and after["_id"] in documents:
            raise DuplicateKeyError(f"{collection} has {after['_id']!r} already")
        for name, field in self._unique:
            if name == collection and field in after:
                for other in documents.values():
                    if other["_id"] != after["_id"] and other.get(field) == after[field]:
                        raise DuplicateKeyError(f"{collection} has {field} {after[field]!r} already")
        documents[after["_id"]] = after
        self._show(collection, before, after)

    def _show(self, collection: str, before: Document | None, after: Document | None) -> None:
        for observer in self.observers:
            observer(collection, before, after)

    def _stamped(self, document: Document) -> Document:
        stamp = Timestamp(0, 0)
        if any(value == stamp for value in document.values() if isinstance(value, Timestamp)):
            now = Timestamp(int(self.now().timestamp()), next(self._ticks))
            return {name: now if value == stamp else value for name, value in document.items()}
        return document

    @staticmethod
    def _sorted(found: list[Document], sort: Sequence[tuple[str, int]]) -> list[Document]:
        for field, direction in reversed(list(sort)):
            found = sorted(found, key=lambda document: order(document.get(field)), reverse=direction < 0)
        return found
