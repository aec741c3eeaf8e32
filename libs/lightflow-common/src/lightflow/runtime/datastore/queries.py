"""The questions that the store asks MongoDB, as documents; no client here."""

from collections.abc import Iterable, Mapping
from typing import Any

from bson.regex import Regex
from bson.timestamp import Timestamp
from pymongo import IndexModel

from lightflow.runtime.datastore.layout import PUSH, SET, Parts, Trace, ancestors, known

COLLECTION = "workflow-data"
FORGET_AFTER = 3600  # seconds for which an overwritten write is still recognized when it is sent again

Document = dict[str, Any]


def indexes() -> dict[str, list[IndexModel]]:
    """The indexes of the store, by collection."""
    place = [("run", 1), ("section", 1), ("path", -1), ("kind", 1), ("at", 1)]
    return {
        COLLECTION: [
            IndexModel(place, name="place", partialFilterExpression={"run": {"$exists": True}}),
            IndexModel([("freed", 1)], name="expiry", expireAfterSeconds=FORGET_AFTER),
        ]
    }


# From below upwards, and in one place the pushes before the sets, each in the order of time. A write that replaces
# something is inserted before what it replaces is removed, and in this order it comes after it: a reader that meets
# the gap meets the new value, too.
READING_ORDER = [("path", -1), ("kind", 1), ("at", 1)]


CONTENT = {"_id": 0, "path": 1, "kind": 1, "at": 1, "value": 1, "payload": 1, "signature": 1}
"""What a reader needs of a record whose run and section it knows: there may be millions."""


def whole(run: str, section: str, parts: Parts) -> Document:
    """The records that the value of a key is made of."""
    return {"run": run, "section": section, "path": {"$in": [*ancestors(parts), ".".join(parts), _below(parts)]}}


def replaced(run: str, section: str, parts: Parts, before: Timestamp) -> Document:
    """The records at a key and below it that are older than this."""
    return {"run": run, "section": section, "path": {"$in": [".".join(parts), _below(parts)]}, "at": {"$lt": before}}


def tombstone() -> list[Document]:
    """What replaces a record whose value is no longer wanted: its id, so that its write is never done again."""
    return [{"$replaceWith": {"_id": "$_id", "freed": "$$NOW"}}]


def look(run: str, section: str, parts: Parts, kind: str) -> list[Document]:
    """What a write of that kind must know, a row for each place and kind of record.

    A push does not look at the pushes before it: there may be millions.
    """
    key, above = ".".join(parts), ancestors(parts)
    here: Document = {"path": key, "kind": SET} if kind == PUSH else {"path": key}
    places = [{"path": {"$in": above}}, here, {"path": _below(parts)}]
    own = {"run": run, "section": section}
    newest = {"at": "$at", "found": _found(parts), "type": "$type", "payload": "$payload"}
    held = {"$cond": [{"$eq": [{"$type": "$payload"}, "missing"]}, "$$REMOVE", {"at": "$at", "payload": "$payload"}]}
    return [
        {"$match": {"$or": [own | place for place in places]}},
        {
            "$group": {
                "_id": {"path": {"$cond": [{"$in": ["$path", [*above, key]]}, "$path", None]}, "kind": "$kind"},
                "newest": {"$max": newest},
                "held": {"$push": held},
                "now": {"$max": {"$toLong": "$$NOW"}},
            }
        },
    ]


def trace(row: Mapping[str, Any], parts: Parts, found: Iterable[str]) -> Trace:
    """A row of `look` and what was found in its value."""
    return Trace(depth_of(row, parts), row["_id"]["kind"], row["newest"]["at"], known(found))


def depth_of(row: Mapping[str, Any], parts: Parts) -> int:
    """How deep the place of a row of `look` is; what lies below the key counts as one below it."""
    path = row["_id"]["path"]
    return len(parts) + 1 if path is None else int(path.count(".")) + 1


def covers(row: Mapping[str, Any], parts: Parts) -> bool:
    """Whether a row of `look` tells of something that a set of the key replaces."""
    return depth_of(row, parts) >= len(parts)


def held(rows: Iterable[Mapping[str, Any]], parts: Parts, before: Timestamp) -> list[Document]:
    """The payload fields of what is replaced by a set of that time."""
    return [one["payload"] for row in rows if covers(row, parts) for one in row["held"] if one["at"] < before]


def _below(parts: Parts) -> Regex[str]:
    escaped = "".join(char if char.isalnum() or char in "_:-" else f"\\{char}" for char in ".".join(parts))
    return Regex(rf"^{escaped}\.")


def _found(parts: Parts) -> Document:
    """The types in a record's value along the rest of the key, whatever the depth of the record."""
    branches = []
    for depth in range(1, len(parts) + 1):
        rest = parts[depth:]
        fields = [".".join(("$value", *rest[:length])) for length in range(len(rest) + 1)]
        here = {"$eq": ["$path", ".".join(parts[:depth])]}
        branches.append({"case": here, "then": [{"$type": field} for field in fields]})
    return {"$switch": {"branches": branches, "default": []}}
