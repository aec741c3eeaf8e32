"""What the system owes: what waits for a look, a claim or an attempt.

A fault is over when what was owed as it struck is done.
"""

from collections.abc import Collection
from typing import Any

from pymongo.database import Database

Owed = frozenset[tuple[str, str, str]]
"""(what it waits for, id, a token that changes once it has been done)"""

TOKEN = {"$toString": "$changed_at"}

PHASES = ("loading", "beginning", "handing over", "queued", "user code", "ending", "at rest")
"""What the system may be doing when a fault strikes; often several at once."""


def owed(db: Database[dict[str, Any]], holders: Collection[str] = (), tasks: Collection[str] = ()) -> Owed:
    """What is owed now, and the attempts that are held by these workers or belong to these tasks."""
    held = {"state": "running", "$or": [{"holder": {"$in": list(holders)}}, {"_id": {"$in": list(tasks)}}]}
    pipeline = [
        {"$match": {"state": {"$in": ["pending", "claimed"]}}},
        _owes("loading", {"$ifNull": ["$holder", "nobody"]}),
        *_union("runs", {"dirty": {"$exists": True}, "state": "pending"}, "beginning", "$dirty"),
        *_union("runs", {"dirty": {"$exists": True}, "state": {"$ne": "pending"}}, "ending", "$dirty"),
        *_union("dag_runs", {"dirty": {"$exists": True}}, "beginning", "$dirty"),
        *_union("dag_runs", {"marked": True}, "ending", TOKEN),
        *_union("task_runs", {"marked": True}, "handing over", TOKEN),
        *_union("task_runs", {"state": "queued", "$expr": {"$lte": ["$ready_at", "$$NOW"]}}, "queued", TOKEN),
        *_union("task_runs", held, "user code", "$claim"),
    ]
    found = db["loads"].aggregate(pipeline)
    return frozenset((each["owes"], str(each["_id"]), str(each["token"])) for each in found)


def phases(db: Database[dict[str, Any]], now: Owed) -> tuple[str, ...]:
    """What the system is doing, given what it owes."""
    seen = {what for what, _, _ in now}
    if db["task_runs"].find_one({"state": "running"}, {"_id": 1}) is not None:
        seen.add("user code")
    return tuple(phase for phase in PHASES if phase in seen) or ("at rest",)


def _owes(what: str, token: Any) -> dict[str, Any]:
    return {"$project": {"owes": {"$literal": what}, "token": token}}


def _union(collection: str, match: dict[str, Any], what: str, token: Any) -> list[dict[str, Any]]:
    return [{"$unionWith": {"coll": collection, "pipeline": [{"$match": match}, _owes(what, token)]}}]
