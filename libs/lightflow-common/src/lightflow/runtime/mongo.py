"""The connection to MongoDB: what it is configured with, and the indexes that queries rely on."""

import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote_plus

from pymongo import ASCENDING, AsyncMongoClient, IndexModel, UpdateOne
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import AutoReconnect, BulkWriteError

from lightflow.config import Config

Document = dict[str, Any]
Database = AsyncDatabase[Document]
Collection = AsyncCollection[Document]
Indexes = Mapping[str, Iterable[IndexModel]]

SCHEMA = 1
"""Version of the documents that this release writes; anything newer is left alone."""

NOW = "$$NOW"
"""The server's clock: the only clock that ends up in documents."""

DUPLICATE = 11000
"""The server's code for a document whose id, or other unique field, exists."""


def store_uri(config: Config) -> str:
    """The connection string of the `store` section."""
    store = config.data_store
    if store.get("uri"):
        return str(store["uri"])
    credentials = ""
    if store.get("username"):
        credentials = f"{quote_plus(store['username'])}:{quote_plus(store.get('password') or '')}@"
    options = {"authSource": store.get("auth_source"), "authMechanism": store.get("auth_mechanism")}
    query = "&".join(f"{key}={quote_plus(value)}" for key, value in options.items() if value and credentials)
    return f"mongodb://{credentials}{store['host']}:{store['port']}/" + (f"?{query}" if query else "")


def connect(config: Config, name: str) -> AsyncMongoClient[Document]:
    """A client whose writes are journalled by a majority and never repeated behind our back."""
    return AsyncMongoClient(
        store_uri(config),
        appname=name,
        w="majority",
        journal=True,
        retryWrites=False,
        tz_aware=True,
        connectTimeoutMS=5000,
        serverSelectionTimeoutMS=5000,
        serverMonitoringMode="poll",
        heartbeatFrequencyMS=30_000,  # a server that goes away is noticed by whatever is asked of it
    )


def reason(error: Exception) -> str:
    """Why a server could not be asked, without what the driver says of itself, or of a part of a password."""
    if isinstance(error, ValueError):
        return "its address is malformed; in a password write what is special as in %2F for /"
    said = re.split(r" \(configured timeouts|, Timeout: |, full error: ", str(error))[0].partition("\n")[0]
    return said[:200] or type(error).__name__


def database(client: AsyncMongoClient[Document], config: Config) -> Database:
    """The database of the `store` section."""
    return client[config.data_store.get("database") or "lightflow"]


RECORD_INDEXES: Indexes = {
    "runs": [
        IndexModel([("key", ASCENDING)], unique=True, sparse=True),
        # What is due in the queues that I serve?
        IndexModel([("queue", ASCENDING)], name="due", partialFilterExpression={"dirty": {"$exists": True}}),
        IndexModel([("version", ASCENDING)]),
    ],
    "dag_runs": [
        IndexModel([("run", ASCENDING), ("name", ASCENDING)]),
        # What is due in the queues that I serve? What is to stop in others?
        IndexModel(
            [("queue", ASCENDING), ("stop", ASCENDING)],
            name="due",
            partialFilterExpression={"dirty": {"$exists": True}},
        ),
        IndexModel(
            [("marked", ASCENDING), ("run", ASCENDING)],
            name="marked_by_run",
            partialFilterExpression={"marked": True},
        ),
    ],
    # What a look or a worker asks of one DAG run or queue, the sweep asks of all: what is common comes first.
    "task_runs": [
        # What changed in this DAG run?
        IndexModel(
            [("marked", ASCENDING), ("dag_run", ASCENDING)],
            name="marked_by_dag_run",
            partialFilterExpression={"marked": True},
        ),
        # What may I claim?
        IndexModel(
            [("state", ASCENDING), ("queue", ASCENDING), ("python", ASCENDING), ("ready_at", ASCENDING)],
            name="queued",
            partialFilterExpression={"state": "queued"},
        ),
        # What does this worker hold?
        IndexModel(
            [("state", ASCENDING), ("holder", ASCENDING)],
            name="held",
            partialFilterExpression={"state": "running"},
        ),
        # Is anything of this DAG run open?
        IndexModel([("dag_run", ASCENDING), ("state", ASCENDING)]),
        IndexModel([("run", ASCENDING), ("changed_at", ASCENDING)]),
    ],
    "loads": [
        IndexModel([("state", ASCENDING), ("created_at", ASCENDING)]),
        IndexModel([("created_at", ASCENDING)], name="expiry", expireAfterSeconds=3600),
    ],
}


def as_inserted(document: Document) -> list[Document]:
    """The update that inserts a document, with the server's time where it has none; one that exists stays as it is."""
    new = {"$mergeObjects": [{"created_at": NOW, "changed_at": NOW}, {"$literal": document}]}
    keep = {"$cond": [{"$eq": [{"$type": "$schema"}, "missing"]}, new, "$$ROOT"]}
    return [{"$replaceWith": keep}]


def insertion(document: Document) -> UpdateOne:
    """The step that inserts a document so."""
    return UpdateOne({"_id": document["_id"]}, as_inserted(document), upsert=True)


def check_duplicates(error: BulkWriteError) -> None:
    """Raise the error again, unless all that is wrong is that documents exist already."""
    if any(failure["code"] != DUPLICATE for failure in failures(error)):
        raise error


def failures(error: BulkWriteError) -> list[Document]:
    """The writes of a command that failed. Raises AutoReconnect where it is unknown whether the others will last."""
    if unconfirmed := error.details.get("writeConcernErrors"):
        raise AutoReconnect(f"MongoDB did not confirm a write: {unconfirmed}") from error
    return list(error.details["writeErrors"])


async def create_indexes(db: Database, *declarations: Indexes) -> None:
    """Create what is missing of the declared indexes; what exists costs one round trip a collection."""
    for declared in (RECORD_INDEXES, *declarations):
        for collection, models in declared.items():
            await db[collection].create_indexes(list(models))
