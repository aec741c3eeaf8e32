"""The addresses of control services in MongoDB, for clients that know only the store."""

from collections.abc import Iterable

from lightflow.runtime.mongo import NOW, SCHEMA, Database


async def register(db: Database, addresses: Iterable[str], incarnation: str) -> None:
    """Enter the addresses at which this process answers, and strike those of processes that are gone."""
    living = await db["workers"].distinct("_id", {"dead": {"$exists": False}})
    await db["control"].delete_many({"incarnation": {"$nin": [*living, incarnation]}})
    for address in addresses:
        entry = {"schema": SCHEMA, "incarnation": incarnation, "started_at": NOW}
        await db["control"].update_one({"_id": address}, [{"$set": entry}], upsert=True)


async def unregister(db: Database, incarnation: str) -> None:
    """Take back what this process entered; what another one has taken over stays."""
    await db["control"].delete_many({"incarnation": incarnation})
