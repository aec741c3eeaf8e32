"""Stages of aggregations, as far as the services use them."""

from collections.abc import Mapping
from typing import Any

from tests.simulation.mongo import expressions
from tests.simulation.mongo.queries import matches
from tests.simulation.mongo.values import MISSING, Document, field, order


def apply(name: str, operand: Any, found: list[Document], now: Any, data: Mapping[str, Any]) -> list[Document]:
    """The documents after a stage; `data` are those of all collections."""
    if name == "$match":
        return [document for document in found if matches(document, operand, now)]
    if name == "$limit":
        return found[:operand]
    if name == "$project":
        return [projected(document, operand, now) for document in found]
    if name == "$set":
        computed = (
            {at: expressions.evaluate(how, each, {"NOW": now}) for at, how in operand.items()} for each in found
        )
        return [{**document, **added} for document, added in zip(found, computed, strict=True)]
    if name == "$group":
        return _grouped(found, operand, now)
    if name == "$lookup":
        return [_joined(document, operand, data, now) for document in found]
    if name == "$sort":
        ((by, direction),) = operand.items()
        return sorted(found, key=lambda document: order(field(document, by)), reverse=direction < 0)
    if name == "$unwind":
        path = operand.removeprefix("$")
        return [{**document, path: each} for document in found for each in document[path]]
    raise NotImplementedError(name)


def _joined(document: Document, operand: Document, data: Mapping[str, Any], now: Any) -> Document:
    wanted = field(document, operand["localField"])
    others = data.get(operand["from"], {}).values()
    joined = [each for each in others if field(each, operand["foreignField"]) == wanted]
    for stage in operand["pipeline"]:
        ((name, inner),) = stage.items()
        joined = apply(name, inner, joined, now, data)
    return {**document, operand["as"]: joined}


def projected(document: Document, fields: Document | None, now: Any) -> Document:
    """Some fields of a document: those that are named, or all but those that are named with 0."""
    if not fields:
        return document
    if all(value == 0 for name, value in fields.items() if name != "_id") and any(
        value == 0 for value in fields.values()
    ):
        return {name: value for name, value in document.items() if fields.get(name, 1) != 0}
    shown: Document = {} if fields.get("_id", 1) == 0 or "_id" not in document else {"_id": document["_id"]}
    for name, wanted in fields.items():
        if name == "_id":
            continue
        value = _selected(document, name) if wanted == 1 else expressions.evaluate(wanted, document, {"NOW": now})
        if value is not MISSING:
            _nest(shown, name, value)
    return shown


def _selected(document: Document, name: str) -> Any:
    outer, _, inner = name.partition(".")
    value = document.get(outer, MISSING)
    if inner and isinstance(value, list):
        return [{inner: each[inner]} if inner in each else {} for each in value]
    return field(document, name)


def _nest(shown: Document, name: str, value: Any) -> None:
    outer, _, inner = name.partition(".")
    if inner and not isinstance(value, list):
        shown.setdefault(outer, {})[inner] = value
    else:
        shown[outer] = value


def _grouped(found: list[Document], operand: Document, now: Any) -> list[Document]:
    groups: list[tuple[Any, list[Document]]] = []
    for document in found:
        key = expressions.evaluate(operand["_id"], document, {"NOW": now})
        key = None if key is MISSING else key
        members = next((members for known, members in groups if known == key), None)
        if members is None:
            groups.append((key, members := []))
        members.append(document)
    return [
        {"_id": key, **{name: _gathered(how, members, now) for name, how in operand.items() if name != "_id"}}
        for key, members in groups
    ]


def _gathered(how: Document, members: list[Document], now: Any) -> Any:
    ((name, expression),) = how.items()
    values = [expressions.evaluate(expression, member, {"NOW": now}) for member in members]
    values = [value for value in values if value is not MISSING]
    if name == "$push":
        return values
    if name == "$first":
        return values[0] if values else None
    if name == "$max":
        return max(values, key=order, default=None)
    raise NotImplementedError(name)
