"""The store of the in-process runner; that it behaves as the real one is shown beside that one's tests."""

from lightflow.runtime.datastore.encoding import decode, encode
from lightflow.runtime.datastore.memory import MemoryStore


async def test_writes_cost_the_same_however_many_came_before() -> None:
    count = 5_000
    store = MemoryStore()
    for number in range(count):
        await store.push("run", "list", encode(number), "data", f"push {number}")
        await store.set("run", f"tree.key{number}", encode(number), "data", f"set {number}")
    found = [await store.get("run", key) for key in ("list", "tree")]
    assert [decode(value or b"") for value in found] == [
        list(range(count)),
        {f"key{number}": number for number in range(count)},
    ]
