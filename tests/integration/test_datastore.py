import asyncio
import os
from collections.abc import AsyncIterator

import pytest
from pymongo import AsyncMongoClient

from lightflow.core.errors import DataStoreKeyInvalid, DataStoreNotAList, InvalidRequest, PayloadForged
from lightflow.core.ids import new_id
from lightflow.runtime import payloads as payloads_module
from lightflow.runtime.datastore import queries
from lightflow.runtime.datastore.encoding import decode, encode
from lightflow.runtime.datastore.memory import MemoryStore
from lightflow.runtime.datastore.mongo import RunStore
from lightflow.runtime.payloads import Payloads
from lightflow.runtime.signing import Signer

RUN = "0123456789abcdef01234567"
MB = 1_000_000


class Caller:
    """What a task does with its store, on whichever store."""

    def __init__(self, store, run=RUN):
        self.store = store
        self.run = run

    async def get(self, key, default=None, section="data"):
        data = await self.store.get(self.run, key, section)
        return default if data is None else decode(data)

    async def set(self, key, value, section="data", operation=None):
        await self.store.set(self.run, key, encode(value), section, operation or new_id())

    async def push(self, key, value, section="data", operation=None):
        await self.store.push(self.run, key, encode(value), section, operation or new_id())

    async def extend(self, key, values, section="data", operation=None):
        await self.store.extend(self.run, key, encode(values), section, operation or new_id())


@pytest.fixture
async def database(mongo_uri, database_name) -> AsyncIterator:
    client = AsyncMongoClient(mongo_uri, w="majority", journal=True, retryWrites=False, tz_aware=True)
    db = client[database_name]
    for declared in (queries.indexes(), payloads_module.indexes()):
        for collection, models in declared.items():
            await db[collection].create_indexes(models)
    yield db
    await client.drop_database(database_name)
    await client.close()


@pytest.fixture
def mongo(database):
    return Caller(RunStore(database, Payloads(database, Signer(b"k" * 32))))


@pytest.fixture(params=["mongo", "memory"])
def store(request):
    return request.getfixturevalue("mongo") if request.param == "mongo" else Caller(MemoryStore())


async def test_an_absent_key_gives_the_default(store):
    assert await store.get("a.b", "default") == "default"
    await store.set("a.c", None)
    assert await store.get("a.b", "default") == "default"
    assert await store.get("a.c", "default") is None
    assert await store.get("a.c.d", "default") == "default"


async def test_missing_levels_are_created(store):
    await store.set("a.b.c", 1)
    await store.set("a.x", [1, "two"])
    assert await store.get("a") == {"b": {"c": 1}, "x": [1, "two"]}
    assert await store.get("a.b") == {"c": 1}


async def test_keys_reach_into_an_earlier_dict(store):
    await store.set("a", {"b": {"c": 1, "d": 2}, "l": [1]})
    assert await store.get("a.b.c") == 1
    await store.set("a.b.c", 3)
    await store.push("a.l", 2)
    assert await store.get("a") == {"b": {"c": 3, "d": 2}, "l": [1, 2]}


async def test_a_key_is_no_prefix_of_another_by_its_letters(store):
    await store.set("a", 1)
    await store.set("ab", 2)
    await store.set("a-b c(.x", 3)
    await store.set("a-b c(", {"y": 1})
    assert await store.get("a") == 1
    assert await store.get("ab") == 2
    assert await store.get("a-b c(") == {"y": 1}


async def test_setting_a_dict_replaces_all_that_was_below(store):
    await store.set("a.b", 1)
    await store.push("a.l", 1)
    await store.set("a", {"c": 1})
    assert await store.get("a") == {"c": 1}
    await store.set("a.d", 2)
    await store.set("a", 5)
    assert await store.get("a") == 5
    assert await store.get("a.c", "none") == "none"


async def test_push_and_extend_keep_the_order_of_one_caller(store):
    for number in range(5):
        await store.push("list", number)
    await store.extend("list", [5, [6]])
    await store.extend("list", [])
    assert await store.get("list") == [0, 1, 2, 3, 4, 5, [6]]
    await store.set("list", ["new"])
    await store.push("list", "item")
    assert await store.get("list") == ["new", "item"]


async def test_extending_an_absent_key_by_nothing_makes_an_empty_list(store):
    await store.extend("list", [])
    assert await store.get("list") == []


@pytest.mark.parametrize("value", [1, "text", {"a": 1}, None, (1, 2), {"a.b": 1}], ids=repr)
async def test_push_to_what_is_no_list_is_refused(store, value):
    await store.set("key", value)
    with pytest.raises(DataStoreNotAList, match="key"):
        await store.push("key", 1)
    assert await store.get("key") == value


async def test_push_to_a_dict_made_by_its_children_is_refused(store):
    await store.set("a.b", 1)
    with pytest.raises(DataStoreNotAList):
        await store.push("a", 1)
    await store.set("c", {"d": {"e": 1}})
    with pytest.raises(DataStoreNotAList):
        await store.push("c.d", 1)


async def test_a_key_below_what_is_no_dict_is_refused_and_says_what_stands_there(store):
    await store.set("a", {"n": 1})
    await store.push("l", 1)
    with pytest.raises(DataStoreKeyInvalid, match=r"'a\.n'"):
        await store.set("a.n.x", 2)
    with pytest.raises(DataStoreKeyInvalid, match="a list"):
        await store.set("l.x", 2)
    with pytest.raises(DataStoreKeyInvalid, match="a list"):
        await store.push("l.x.y", 2)
    assert await store.get("l") == [1]


@pytest.mark.parametrize("key", ["", ".", "a.", ".a", "a..b", "$a", "a.$b", "a\0b", "\ud800", ".".join("x" * 65)])
async def test_a_key_that_cannot_be_is_refused(store, key):
    with pytest.raises(DataStoreKeyInvalid):
        await store.get(key)
    with pytest.raises(DataStoreKeyInvalid):
        await store.set(key, 1)
    with pytest.raises(DataStoreKeyInvalid):
        await store.push(key, 1)


async def test_extending_by_something_else_than_a_list_is_refused(store):
    with pytest.raises(InvalidRequest):
        await store.extend("list", "text")


async def test_a_write_sent_again_has_no_further_effect(store):
    await store.push("list", 1, operation="one")
    await store.push("list", 1, operation="one")
    await store.extend("list", [2, 3], operation="two")
    await store.extend("list", [2, 3], operation="two")
    await store.set("key", "old", operation="three")
    await store.set("key", "new", operation="four")
    await store.set("key", "old", operation="three")
    await store.set("key", "new", operation="four")
    assert await store.get("list") == [1, 2, 3]
    assert await store.get("key") == "new"


async def test_a_write_sent_again_after_its_place_was_taken_neither_acts_nor_fails(store):
    await store.push("list", 1, operation="one")
    await store.set("list", [])
    await store.push("list", 1, operation="one")
    assert await store.get("list") == []
    await store.set("a.b", 1, operation="two")
    await store.set("a", "text")
    await store.set("a.b", 1, operation="two")
    assert await store.get("a") == "text"


async def test_sections_and_runs_are_apart(store):
    other = Caller(store.store, "f" * 24)
    await store.set("key", 1)
    await store.set("key", 2, section="meta")
    await other.set("key", 3)
    assert [await store.get("key"), await store.get("key", section="meta"), await other.get("key")] == [1, 2, 3]


async def test_removing_the_data_leaves_the_meta_section_and_other_runs(store):
    other = Caller(store.store, "f" * 24)
    for caller in (store, other):
        await caller.set("big", "x" * 2 * MB)
        await caller.set("key", 1, section="meta")
    await store.store.remove_data(RUN)
    assert await store.get("big") is None
    assert await store.get("key", section="meta") == 1
    assert len(await other.get("big")) == 2 * MB


async def test_concurrent_pushes_lose_nothing(store):
    await asyncio.gather(*(store.push("list", number) for number in range(300)))
    assert sorted(await store.get("list")) == list(range(300))


async def test_concurrent_sets_of_neighbours_lose_nothing(store):
    await asyncio.gather(*(store.set(f"a.b{number % 7}.c{number}", number) for number in range(100)))
    found = await store.get("a")
    assert sum(len(level) for level in found.values()) == 100


async def test_values_beyond_what_a_document_holds(store):
    large = os.urandom(20 * MB)
    await store.set("large", {"here": large, "small": 1})
    assert await store.get("large.here") == large
    await store.set("large.small", 2)
    await store.extend("list", [os.urandom(MB) for _ in range(30)])
    await store.push("list", large)
    assert len(await store.get("list")) == 31
    assert (await store.get("large"))["small"] == 2
    with pytest.raises(DataStoreNotAList):
        await store.push("large.here", 1)


async def test_a_hundred_megabytes_in_one_value(mongo):
    value = os.urandom(100 * MB)
    await mongo.set("large", value)
    assert await mongo.get("large") == value


async def test_a_hundred_strings_of_a_megabyte_at_once(mongo):
    strings = {f"s{number}": chr(97 + number % 26) * MB for number in range(100)}
    await asyncio.gather(*(mongo.set(f"all.{name}", text) for name, text in strings.items()))
    assert await mongo.get("all") == strings


async def blobs(database):
    return [await database[f"blobs.{part}"].count_documents({}) for part in ("files", "chunks")]


async def records(database):
    return await database[queries.COLLECTION].count_documents({"run": RUN})


async def test_replacing_frees_what_was_held(mongo, database):
    for number in range(3):
        await mongo.set("a.b", {"n": number, "x": os.urandom(2 * MB)})
        await mongo.push("a.l", os.urandom(2 * MB))
    assert await blobs(database) == [4, 4]
    await mongo.set("a", {"x": os.urandom(2 * MB)})
    assert await blobs(database) == [1, 1]
    assert await records(database) == 1
    await mongo.set("a", 1)
    assert await blobs(database) == [0, 0]


async def test_a_large_write_sent_again_leaves_no_blob_behind(mongo, database):
    for _ in range(2):
        await mongo.set("a", "x" * 2 * MB, operation="one")
        await mongo.push("l", "x" * 2 * MB, operation="two")
    assert await blobs(database) == [2, 2]
    assert len(await mongo.get("l")) == 1


async def test_removing_the_data_removes_its_blobs(mongo, database):
    await mongo.set("a", "x" * 2 * MB)
    await mongo.store.remove_data(RUN)
    assert await blobs(database) == [0, 0]
    assert await records(database) == 0


@pytest.mark.parametrize("size", [10, 2 * MB])
async def test_a_reader_sees_the_old_value_or_the_new_one(mongo, size):
    def version(number):
        return {"n": number, "below": {"n": number}, "x": str(number % 10) * size}

    await mongo.set("a", version(0))
    done = asyncio.Event()

    async def write():
        for number in range(1, 30):
            await mongo.set("a", version(number))
            await mongo.set("a.below.n", number)
        done.set()

    async def read():
        seen = 0
        while not done.is_set():
            found = await mongo.get("a")
            assert found["n"] == found["below"]["n"] >= seen
            assert found["x"] == str(found["n"] % 10) * size
            seen = found["n"]

    await asyncio.gather(write(), read(), read())


async def test_a_long_list_that_is_replaced_is_read_as_the_old_or_the_new_one(mongo):
    old, new = list(range(3000)), ["new"]
    done = asyncio.Event()

    async def write():
        for _ in range(3):
            await mongo.set("a", {"l": []})
            await asyncio.gather(*(mongo.extend("a.l", old[at : at + 1]) for at in old[:500]))
            await mongo.set("a", {"l": new})
        done.set()

    async def read():
        while not done.is_set():
            found = await mongo.get("a.l", [])
            assert found == new or len(found) <= 500

    await asyncio.gather(write(), read())
    assert await mongo.get("a.l") == new


async def test_a_forged_pickle_is_never_handed_on(mongo, database):
    await mongo.set("a", (1, 2))
    await mongo.set("b", (3, 4))
    collection = database[queries.COLLECTION]
    stolen = await collection.find_one({"path": "b"})
    await collection.update_one({"path": "a"}, {"$set": {"value": stolen["value"], "signature": stolen["signature"]}})
    with pytest.raises(PayloadForged):
        await mongo.get("a")
    assert await mongo.get("b") == (3, 4)


async def test_what_is_overwritten_is_forgotten_after_an_hour(mongo, database):
    await mongo.set("a", 1, operation="one")
    await mongo.set("a", 2)
    left = await database[queries.COLLECTION].find_one({"_id": "one"})
    assert list(left) == ["_id", "freed"]
    assert (await database[queries.COLLECTION].index_information())["expiry"]["expireAfterSeconds"] == 3600


async def test_a_server_clock_that_was_set_back_does_not_bury_new_values(mongo, database):
    await mongo.set("a", 1)
    await mongo.push("l", 1)
    future = (await database[queries.COLLECTION].find_one({"path": "a"}))["at"]
    await database[queries.COLLECTION].update_many({"path": "a"}, {"$set": {"at": type(future)(future.time + 3600, 5)}})
    await mongo.set("a", 2)
    assert await mongo.get("a") == 2
    await mongo.set("a", 3)
    assert await mongo.get("a") == 3
