"""The MongoDB in memory answers as the real one: every case is done on both, and both must agree."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from bson.regex import Regex
from pymongo import AsyncMongoClient, UpdateMany, UpdateOne
from pymongo.errors import BulkWriteError, DuplicateKeyError
from tests.simulation.mongo.client import Database
from tests.simulation.mongo.server import Server, Steps

from lightflow.core.graph import DagSpec, TaskSpec
from lightflow.core.outcomes import Counts, Ending, ErrorInfo, Outcome, Settlement
from lightflow.core.states import Reason, State
from lightflow.runtime import attempts, moves
from lightflow_scheduler import runs, signals

TASKS: list[dict[str, Any]] = [
    {"_id": "d/0", "dag_run": "d", "index": 0, "state": "succeeded", "marked": True, "attempts": [], "queue": "task"},
    {"_id": "d/1", "dag_run": "d", "index": 1, "state": "waiting", "attempts": [], "queue": "task"},
    {"_id": "d/2", "dag_run": "d", "index": 2, "state": "queued", "attempts": [{"outcome": "lost"}], "queue": "other"},
    {
        "_id": "d/3",
        "dag_run": "d",
        "index": 3,
        "state": "running",
        "holder": "h",
        "claim": "c",
        "started_at": None,
        "attempts": [{"outcome": "error"}, {"outcome": None}],
        "queue": "task",
        "nested": {"deep": {"value": 5}},
    },
]
DAG = DagSpec("d", tasks=tuple(TaskSpec(f"t{index}") for index in range(4)), edges=((3, 1, None),))
FENCED = {"_id": "d/3", "holder": "h", "claim": "c"}
STOPPED = Outcome(Ending.STOPPED, ErrorInfo("StopTask", "$enough"), limit=("t1",))
START = {"request": "r1", "dag": "d", "n": 1, "name": "d:1", "created": False, "final": False}

Case = Callable[[Any], Awaitable[Any]]
CASES: dict[str, Case] = {}


def case(function: Case) -> Case:
    CASES[function.__name__] = function
    return function


class Direct:
    """A line without a fault."""

    async def run(self, steps: Steps, *, write: bool) -> Any:
        while True:
            try:
                next(steps)
            except StopIteration as end:
                return end.value


@case
async def filters(c: Any) -> Any:
    queries: list[dict[str, Any]] = [
        {"state": "queued"},
        {"state": {"$in": ["queued", "waiting"]}},
        {"state": {"$nin": ["queued", "waiting"]}},
        {"state": {"$ne": "queued"}, "index": {"$gt": 0}},
        {"holder": None},
        {"holder": {"$ne": None}},
        {"marked": {"$exists": True}},
        {"attempts.0": {"$exists": True}},
        {"attempts": {"$size": 1}},
        {"state": {"$size": 0}},
        {"attempts.outcome": "lost"},
        {"attempts.outcome": {"$ne": "lost"}},
        {"attempts": {"$elemMatch": {"outcome": None}}},
        {"attempts": {"$not": {"$elemMatch": {"outcome": "error"}}}},
        {"index": {"$gte": 1, "$lt": 3}},
        {"index": {"$lte": "1"}},
        {"queue": {"$in": [Regex("^ot"), "none"]}},
        {"$or": [{"index": 0}, {"holder": "h"}]},
        {"nested.deep.value": {"$gt": 4}},
        {"$expr": {"$lte": ["$index", 1]}},
        {"$expr": {"$lte": ["$started_at", "$$NOW"]}},
        {"$expr": {"$lt": ["$started_at", 3]}},
    ]
    return [[task["_id"] async for task in c.find(query).sort("_id", 1)] for query in queries]


@case
async def projections(c: Any) -> Any:
    fields: list[dict[str, Any]] = [
        {"state": 1},
        {"_id": 0, "index": 1},
        {"attempts": 0, "nested": 0},
        {"attempts.outcome": 1},
        {"nested.deep": 1},
    ]
    return [await c.find({}, each).sort("_id", 1).to_list() for each in fields]


@case
async def following(c: Any) -> Any:
    await c.bulk_write([moves.stop_open("e"), *moves.follow("d", [1], [2], [0])], ordered=True)


@case
async def counted(c: Any) -> Any:
    steps = [*moves.follow("d", [1, 2], [1], [0]), UpdateOne({"_id": "none"}, {"$set": {"x": 1}})]
    return (await c.bulk_write(steps, ordered=True)).matched_count


@case
async def each_by_itself(c: Any) -> Any:
    steps = [
        UpdateOne({"_id": "d/0"}, [{"$set": {"x": 1}}], upsert=True),
        UpdateOne({"_id": "d/1", "state": "running"}, [{"$set": {"x": 1}}], upsert=True),
        UpdateOne({"_id": "d/2"}, [{"$set": {"x": 1}}], upsert=True),
    ]
    try:
        await c.bulk_write(steps, ordered=False)
    except BulkWriteError as error:
        return [(failure["index"], failure["code"]) for failure in error.details["writeErrors"]]


@case
async def stopping(c: Any) -> Any:
    await c.bulk_write([moves.stop_open("d")], ordered=True)


@case
async def committing(c: Any) -> Any:
    settlement = Settlement(State.STOPPED, Counts(0, 0, 0), error=STOPPED.error)
    change = attempts.commit(TASKS[3], DAG, STOPPED, settlement, {"data": b"x", "$odd": "$text"})
    return (await c.update_one(attempts.fence({**TASKS[3], **FENCED}), change)).matched_count


@case
async def committing_too_late(c: Any) -> Any:
    settlement = Settlement(State.SUCCEEDED, Counts(0, 0, 0))
    change = attempts.commit(TASKS[3], DAG, Outcome(Ending.SUCCEEDED), settlement, None)
    first = UpdateOne({**attempts.fence({**TASKS[3], **FENCED}), "holder": "other"}, change, upsert=True)
    try:
        await c.bulk_write([first, *moves.follow("d", [1], [], [3])], ordered=True)
    except BulkWriteError as error:
        return error.details["writeErrors"][0]["index"]


@case
async def queueing_again(c: Any) -> Any:
    settlement = Settlement(State.QUEUED, Counts(1, 0, 0), delay=1.5)
    change = attempts.commit(TASKS[3], DAG, Outcome(Ending.ERROR), settlement, None)
    await c.update_one({"_id": "d/3"}, change)


@case
async def handing_back(c: Any) -> Any:
    await c.update_one({"_id": "d/3"}, attempts.hand_back(None))
    await c.update_one({"_id": "d/2"}, attempts.hand_back(Reason.STOPPED))


@case
async def claiming(c: Any) -> Any:
    change = {"state": "running", "attempts": {"$concatArrays": ["$attempts", [{"at": "$$NOW"}]]}}
    query = {"state": {"$in": ["queued", "waiting"]}}
    found = await c.find_one_and_update(query, [{"$set": change}], sort=[("index", 1)], return_document=True)
    return found["_id"], len(found["attempts"])


@case
async def accepting_a_run(c: Any) -> Any:
    new = {"$mergeObjects": [{"$literal": {"_id": "r", "schema": 1, "values": {"$x": "$y"}}}, {"created_at": "$$NOW"}]}
    keep = {"$cond": [{"$eq": [{"$type": "$schema"}, "missing"]}, new, "$$ROOT"]}
    for _ in range(2):
        await c.find_one_and_update({"_id": "r"}, [{"$replaceWith": keep}], upsert=True, return_document=True)


@case
async def stopping_a_run(c: Any) -> Any:
    await c.insert_many([{"_id": "p", "state": "pending", "keep_data": True}, {"_id": "r", "state": "running"}])
    for run in ("p", "r"):
        await c.update_one({"_id": run}, [{"$set": runs._stop("op", 2.0)}])


@case
async def starting_a_dag(c: Any) -> Any:
    await c.insert_one({"_id": "r", "starts": [START]})
    for request in ("r2", "r2"):
        query = {"_id": "r", "starts.request": {"$ne": request}}
        await c.update_one(query, [{"$set": signals._appended(request, "d", {"$odd": 1})}])
    await c.update_one({"_id": "r"}, {"$set": {"dirty": 1}})
    return await c.find_one({"_id": "r"}, {"starts": signals._start_of("r2")})


@case
async def noting_what_exists(c: Any) -> Any:
    await c.insert_one({"_id": "r", "starts": [START, {**START, "name": "d:2"}], "joins": [{"request": "a"}]})
    change = {"$set": {"starts.$[created].created": True, "state": "running"}, "$currentDate": {"at": True}}
    await c.update_one({"_id": "r"}, change, array_filters=[{"created.name": {"$in": ["d:2"]}}])
    await c.update_one({"_id": "r"}, {"$pull": {"joins": {"request": "a"}}, "$inc": {"beat": 2}})
    open_ = {"starts": {"$not": {"$elemMatch": {"final": False, "name": {"$nin": ["d:1", "d:2"]}}}}}
    return [run["_id"] async for run in c.find({**open_, "_id": "r"})]


@case
async def groups_and_unions(c: Any) -> Any:
    pipeline = [
        {"$match": {"state": {"$in": ["queued", "running"]}}},
        {"$group": {"_id": "$queue", "newest": {"$max": {"at": "$index"}}, "held": {"$push": "$holder"}}},
        {"$project": {"kind": {"$literal": "$queue"}, "newest": 1, "held": 1, "size": {"$size": "$held"}}},
        {"$unionWith": {"coll": c.name, "pipeline": [{"$match": {"_id": "d/0"}}, {"$limit": 1}]}},
    ]
    return sorted([document async for document in await c.aggregate(pipeline)], key=lambda each: each["_id"])


@case
async def duplicates(c: Any) -> Any:
    told = []
    try:
        await c.insert_one({"_id": "d/0"})
    except DuplicateKeyError:
        told.append("one")
    try:
        await c.insert_many([{"_id": "d/0"}, {"_id": "new"}], ordered=False)
    except BulkWriteError as error:
        told.append(str(error.details["writeErrors"][0]["code"]))
    return told, (await c.delete_many({"dag_run": "d", "index": {"$gt": 1}})).deleted_count


@case
async def bulk_that_breaks_off(c: Any) -> Any:
    same = UpdateOne({"_id": "d/0", "state": "waiting"}, {"$set": {"state": "x"}}, upsert=True)
    try:
        await c.bulk_write(
            [UpdateMany({"index": 1}, {"$unset": {"queue": ""}}), same, UpdateMany({}, {"$set": {"y": 1}})]
        )
    except BulkWriteError as error:
        return error.details["writeErrors"][0]["index"], error.details["nMatched"]


@case
async def expressions(c: Any) -> Any:
    computed: list[Any] = [
        {"$ifNull": ["$nothing", "$index"]},
        {"$slice": ["$attempts", {"$max": [{"$subtract": [{"$size": "$attempts"}, 1]}, 1]}]},
        {"$filter": {"input": {"$ifNull": ["$attempts", []]}, "cond": {"$eq": ["$$this.outcome", None]}}},
        {"$switch": {"branches": [{"case": {"$eq": ["$index", 1]}, "then": "one"}], "default": []}},
        {"$cond": [{"$in": ["$queue", ["task", "odd"]]}, "$queue", None]},
        {"$min": ["$nothing", 7]},
        {"$concat": ["t:", {"$toString": {"$add": ["$index", 1]}}]},
        {"$indexOfBytes": ["$queue", "sk"]},
        [{"$type": "$nested.deep"}, {"$type": "$nothing"}, {"$type": "$attempts"}],
        {"$not": ["$marked"]},
        "$attempts.outcome",
    ]
    fields = {f"e{place}": expression for place, expression in enumerate(computed)}
    return await (await c.aggregate([{"$match": {"_id": {"$in": ["d/1", "d/3"]}}}, {"$project": fields}])).to_list()


@pytest.fixture
async def real(mongo_uri: str, database_name: str) -> AsyncIterator[Any]:
    client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(mongo_uri, tz_aware=True)
    yield client[database_name]["tasks"]
    await client.drop_database(database_name)
    await client.close()


@pytest.mark.parametrize("name", CASES)
async def test_it_does_as_the_real_one_does(name: str, real: Any) -> None:
    twin: Any = Database(Server(lambda: datetime.now(UTC)), Direct())["tasks"]
    answers = []
    for collection in (real, twin):
        await collection.insert_many([dict(task) for task in TASKS])
        answer = await CASES[name](collection)
        answers.append(_timeless([answer, await collection.find().sort("_id", 1).to_list()]))
    assert answers[1] == answers[0]


def _timeless(value: Any) -> Any:
    """The same with every time told by its kind: no two servers have one clock."""
    if isinstance(value, dict):
        return {name: "an operation" if name == "dirty" else _timeless(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_timeless(item) for item in value]
    return "a time" if isinstance(value, datetime) else value
