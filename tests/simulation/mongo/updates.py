"""What updates make of a document, as far as the services use them."""

from collections.abc import Iterable
from typing import Any

from tests.simulation.mongo import expressions, queries
from tests.simulation.mongo.values import MISSING, Document, copied, put

Update = Document | list[Document]


def updated(document: Document, update: Update, now: Any, array_filters: Iterable[Document] = ()) -> Document:
    """The document after an update, a pipeline or operators."""
    result: Document = copied(document)
    if isinstance(update, list):
        for stage in update:
            result = _stage(result, stage, now)
        return result
    for name, changes in update.items():
        for path, operand in changes.items():
            _OPERATORS[name](result, path, copied(operand), now, array_filters)
    return result


def inserted(query: Document, update: Update, now: Any) -> Document:
    """The document that an upsert inserts where nothing matches."""
    start = {name: value for name, value in query.items() if not name.startswith("$") and not isinstance(value, dict)}
    document = updated(start, update, now)
    if isinstance(update, dict):
        for path, value in update.get("$setOnInsert", {}).items():
            put(document, path, copied(value))
    return document


def _stage(document: Document, stage: Document, now: Any) -> Document:
    ((name, operand),) = stage.items()
    variables = {"NOW": now}
    if name == "$replaceWith":
        return dict(copied(expressions.evaluate(operand, document, variables)))
    if name != "$set":
        raise NotImplementedError(name)
    computed = {path: expressions.evaluate(each, document, variables) for path, each in operand.items()}
    for path, value in computed.items():
        put(document, path, value if value is MISSING else copied(value))
    return document


def _set(document: Document, path: str, value: Any, now: Any, filters: Iterable[Document]) -> None:
    before, marked, after = path.partition(".$[")
    if not marked:
        put(document, path, value)
        return
    name, _, rest = after.partition("].")
    (wanted,) = [each for each in filters if all(key.partition(".")[0] == name for key in each)]
    for element in document[before]:
        if queries.matches({name: element}, wanted, now):
            put(element, rest, value)


def _increment(document: Document, path: str, by: Any, *_: Any) -> None:
    put(document, path, document.get(path, 0) + by)


def _pull(document: Document, path: str, wanted: Any, now: Any, _: Any) -> None:
    if path in document:
        document[path] = [item for item in document[path] if not queries.matches(item, wanted, now)]


_OPERATORS: dict[str, Any] = {
    "$set": _set,
    "$unset": lambda document, path, *_: put(document, path, MISSING),
    "$inc": _increment,
    "$pull": _pull,
    "$currentDate": lambda document, path, _, now, __: put(document, path, now),
    "$setOnInsert": lambda *_: None,
}
