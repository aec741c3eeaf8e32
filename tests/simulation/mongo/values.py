"""Values as MongoDB knows them: how they are ordered, reached by paths and copied."""

from collections.abc import Iterator
from datetime import datetime
from enum import Enum
from typing import Any

from bson.int64 import Int64
from bson.objectid import ObjectId
from bson.timestamp import Timestamp

Document = dict[str, Any]


class _Missing:
    def __repr__(self) -> str:
        return "MISSING"


MISSING: Any = _Missing()
"""What a path leads to where there is nothing."""

_RANKS: dict[type, int] = {
    _Missing: 0,
    type(None): 1,
    int: 2,
    float: 2,
    Int64: 2,
    str: 3,
    dict: 4,
    list: 5,
    bytes: 6,
    ObjectId: 7,
    bool: 8,
    datetime: 9,
    Timestamp: 10,
}
_NAMES = {
    1: "null",
    3: "string",
    4: "object",
    5: "array",
    6: "binData",
    7: "objectId",
    8: "bool",
    9: "date",
    10: "timestamp",
}


def rank(value: Any) -> int:
    """The place of a value's type in the order of types."""
    place = _RANKS.get(type(value))
    if place is None:
        if not isinstance(value, str):
            raise TypeError(f"MongoDB knows no {type(value).__name__}")
        place = _RANKS[str]  # an enumeration of texts
    return place


def type_name(value: Any) -> str:
    """What `$type` says of a value."""
    if value is MISSING:
        return "missing"
    if rank(value) == 2:
        return "double" if isinstance(value, float) else "int"
    return _NAMES[rank(value)]


def order(value: Any) -> tuple[Any, ...]:
    """A key by which values are sorted as MongoDB sorts them."""
    place = rank(value)
    if place <= 1:
        return (place,)
    if place == 4:
        return (place, [(rank(item), name, order(item)) for name, item in value.items()])
    if place == 5:
        return (place, [order(item) for item in value])
    return (place, value)


def copied(value: Any) -> Any:
    """A value as it comes back from a server: nothing shared, tuples as lists, enumerations as what they stand for."""
    kind = type(value)
    if kind is dict:
        return {name: copied(item) for name, item in value.items()}
    if kind is list or kind is tuple:
        return [copied(item) for item in value]
    return value.value if isinstance(value, Enum) else value


def field(document: Any, path: str) -> Any:
    """What an expression's `$path` means: through an array, the array of what its elements have there."""
    name, _, rest = path.partition(".")
    if isinstance(document, list):
        found = [field(element, path) for element in document]
        return [value for value in found if value is not MISSING]
    if not isinstance(document, dict) or name not in document:
        return MISSING
    return field(document[name], rest) if rest else document[name]


def reached(document: Any, path: str) -> Iterator[Any]:
    """All that a query's path may mean: elements of arrays, by their number or each of them."""
    name, _, rest = path.partition(".")
    if isinstance(document, dict):
        if name not in document:
            yield MISSING
        elif rest:
            yield from reached(document[name], rest)
        else:
            yield document[name]
    elif isinstance(document, list):
        if name.isdigit() and int(name) < len(document):
            element = document[int(name)]
            yield from reached(element, rest) if rest else (element,)
        for element in document:
            if isinstance(element, dict):
                yield from reached(element, path)
    else:
        yield MISSING


def put(document: Document, path: str, value: Any) -> None:
    """Set what a path leads to, or remove it where the value is MISSING."""
    *above, name = path.split(".")
    for each in above:
        if value is MISSING and each not in document:
            return
        document = document.setdefault(each, {})
    if value is MISSING:
        document.pop(name, None)
    else:
        document[name] = value
