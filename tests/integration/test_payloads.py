import os
from collections.abc import AsyncIterator

import pytest
from bson.timestamp import Timestamp
from gridfs import AsyncGridFSBucket
from pymongo import AsyncMongoClient

from lightflow.core.errors import DataStoreGridfsIdInvalid, PayloadForged
from lightflow.runtime.payloads import INLINE, Payloads, collect_orphans, indexes
from lightflow.runtime.signing import Signer, signer_for

RUN = "0123456789abcdef01234567"
LARGE = os.urandom(9_000_000)


@pytest.fixture
async def database(mongo_uri, database_name) -> AsyncIterator:
    client = AsyncMongoClient(mongo_uri, w="majority", journal=True, retryWrites=False, tz_aware=True)
    db = client[database_name]
    for collection, models in indexes().items():
        await db[collection].create_indexes(models)
    yield db
    await client.drop_database(database_name)
    await client.close()


@pytest.fixture
def payloads(database):
    return Payloads(database, Signer(b"k" * 32))


async def blobs(database):
    return await database["blobs.files"].count_documents({}), await database["blobs.chunks"].count_documents({})


@pytest.mark.parametrize("data", [b"", b"small", b"x" * INLINE, b"x" * (INLINE + 1), LARGE], ids=len)
async def test_what_was_saved_is_loaded(payloads, database, data):
    field = await payloads.save(data, RUN)
    await database["runs"].insert_one({"_id": RUN, "values": field})
    stored = await database["runs"].find_one()
    assert await payloads.load(stored["values"]) == data
    assert ("data" in field) == (len(data) <= INLINE)


async def test_blobs_are_what_any_gridfs_client_reads(payloads, database):
    field = await payloads.save(LARGE, RUN)
    stream = await AsyncGridFSBucket(database, bucket_name="blobs").open_download_stream(field["blob"])
    assert await stream.read() == LARGE


@pytest.mark.parametrize("data", [b"small", LARGE], ids=len)
async def test_bytes_signed_with_another_key_are_refused(payloads, database, data):
    forged = await Payloads(database, Signer(b"o" * 32)).save(data, RUN)
    with pytest.raises(PayloadForged, match=RUN):
        await payloads.load(forged)


async def test_bytes_that_were_changed_or_passed_off_as_something_else_are_refused(payloads, database):
    field = await payloads.save(b"small", RUN)
    large = await payloads.save(LARGE, RUN)
    await database["blobs.chunks"].update_one({"n": 1}, {"$set": {"data": b"other"}})
    unsigned = {name: value for name, value in field.items() if name != "signature"}
    for forged in (field | {"data": b"other"}, field | {"scope": "version:x"}, unsigned, {}, {"data": None}, large):
        with pytest.raises(PayloadForged):
            await payloads.load(forged)


async def test_a_blob_that_is_gone_is_named(payloads):
    field = await payloads.save(LARGE, RUN)
    await payloads.remove(field)
    await payloads.remove(field)
    with pytest.raises(DataStoreGridfsIdInvalid, match=str(field["blob"])):
        await payloads.load(field)


async def test_removing_a_scope_removes_its_blobs_only(payloads, database):
    await payloads.save(LARGE, RUN)
    kept = await payloads.save(LARGE, "version:v")
    await payloads.remove(RUN)
    assert await payloads.load(kept) == LARGE
    assert (await blobs(database))[0] == 1
    await payloads.remove("version:v")
    assert await blobs(database) == (0, 0)


async def test_blobs_whose_owner_is_gone_are_collected_after_an_hour(payloads, database):
    owners = {"runs": "r" * 24, "workflows": "version:v", "uploads": "upload:u"}
    for collection, scope in owners.items():
        await database[collection].insert_one({"_id": scope.rpartition(":")[2]})
        await payloads.save(LARGE, scope)
    lost = ["f" * 24, "upload:gone", "version:gone"]
    for scope in (*lost, "newer:kind"):
        await payloads.save(LARGE, scope)
    assert await collect_orphans(payloads, database) == []
    now = (await database["blobs.files"].find_one())["at"]
    await database["blobs.files"].update_many({}, {"$set": {"at": Timestamp(now.time - 3700, 1)}})
    assert sorted(await collect_orphans(payloads, database)) == lost
    assert (await blobs(database))[0] == 4


async def test_the_age_of_a_blob_is_told_by_the_server(payloads, database):
    await payloads.save(LARGE, RUN)
    file = await database["blobs.files"].find_one()
    assert abs(file["at"].as_datetime() - file["uploadDate"]).total_seconds() < 60


async def test_without_a_key_file_all_processes_share_a_key_and_who_makes_it_warns(database, caplog):
    one, two = await signer_for(None, database), await signer_for(None, database)
    two.verify(b"data", "it", one.sign(b"data", "it"))
    assert caplog.text.count("engine.signing_key_file") == 1
