import asyncio
import random
from collections.abc import Awaitable
from typing import Any

import pytest
from bson.timestamp import Timestamp
from hypothesis import given
from hypothesis import strategies as st

from lightflow.core.errors import DataStoreKeyInvalid, DataStoreNotAList, LightflowException
from lightflow.runtime.datastore.encoding import decode, encode
from lightflow.runtime.datastore.folding import Folding
from lightflow.runtime.datastore.layout import (
    BY_SERVER,
    NOTHING,
    PUSH,
    SET,
    Trace,
    check_push,
    check_set,
    found_along,
    merged,
    parts_of,
    pick,
    time_after,
)
from lightflow.runtime.datastore.memory import MemoryStore
from lightflow.runtime.datastore.queries import look, whole

KEYS = st.sampled_from(["a", "b", "a.b", "a.c", "a.b.c", "a.b.d"])
VALUES = st.sampled_from([1, None, [], [1, 2], {}, {"b": 1}, {"b": {"c": [1], "d": {}}}, {"c": []}])
WRITES = st.lists(st.tuples(st.sampled_from(["set", "push", "extend"]), KEYS, VALUES), max_size=12)


async def model_write(tree: dict[str, Any], kind: str, key: str, value: Any) -> None:
    """The same on a plain dict."""
    *above, name = key.split(".")
    here: Any = tree
    for part in above:
        here = here.setdefault(part, {})
        if type(here) is not dict:
            raise DataStoreKeyInvalid(key)
    if kind == "set":
        here[name] = value
        return
    if type(here.setdefault(name, [])) is not list:
        raise DataStoreNotAList(key)
    here[name] = here[name] + ([value] if kind == "push" else value)


async def outcome(write: Awaitable[None]) -> type[Exception] | None:
    try:
        await write
    except LightflowException as error:
        return type(error)
    return None


@given(WRITES)
def test_any_writes_leave_what_they_would_leave_in_a_dict(writes):
    async def run() -> None:
        store, tree = MemoryStore(), decode(encode({}))
        for number, (kind, key, value) in enumerate(writes):
            if kind == "extend" and type(value) is not list:
                continue
            before = decode(encode(tree))
            expected = await outcome(model_write(tree, kind, key, decode(encode(value))))
            tree = before if expected else tree
            assert await outcome(getattr(store, kind)("run", key, encode(value), "data", str(number))) is expected
            for asked in ("a", "b", "a.b", "a.b.c"):
                found = await store.get("run", asked)
                assert (NOTHING if found is None else decode(found)) == pick(tree, parts_of(asked))

    asyncio.run(run())


def record(path: str, kind: str, at: int, value: Any) -> dict[str, Any]:
    return {"_id": str(at), "path": path, "kind": kind, "at": Timestamp(1, at), "value": value}


def folded(records: list[dict[str, Any]], key: str) -> Any:
    folding = Folding()
    # as the index yields them: from below upwards, in one place pushes before sets, by time
    for one in sorted(sorted(records, key=lambda r: (r["kind"], r["at"])), key=lambda r: r["path"], reverse=True):
        folding.add(one)
    return folding.value(parts_of(key))


def test_what_was_replaced_does_not_count_although_it_is_still_there():
    records = [
        record("a.b", SET, 1, "old"),
        record("a.l", PUSH, 2, ["old"]),
        record("a", SET, 3, {"x": 1}),
        record("a.l", PUSH, 4, ["new"]),
    ]
    random.Random(1).shuffle(records)
    assert folded(records, "a") == {"x": 1, "l": ["new"]}
    assert folded(records, "a.b") is NOTHING


def test_a_push_that_was_overtaken_by_a_set_comes_before_it():
    assert folded([record("a", SET, 1, "text"), record("a", PUSH, 2, [1])], "a") == "text"


def test_values_keep_the_order_in_which_they_were_set():
    records = [record(f"a.{name}", SET, at, at) for at, name in enumerate("zyx", 1)]
    assert list(folded(records, "a")) == ["z", "y", "x"]


@pytest.mark.parametrize(
    ("traces", "refusal"),
    [
        ([], None),
        ([Trace(2, PUSH, Timestamp(1, 1))], None),
        ([Trace(2, SET, Timestamp(1, 1), ("array",))], None),
        ([Trace(1, SET, Timestamp(1, 1), ("object", "array"))], None),
        ([Trace(1, SET, Timestamp(1, 1), ("object", "leaf"))], DataStoreNotAList),
        ([Trace(1, SET, Timestamp(1, 1), ("leaf",))], DataStoreKeyInvalid),
        ([Trace(1, PUSH, Timestamp(1, 1))], DataStoreKeyInvalid),
        ([Trace(3, SET, Timestamp(1, 1))], DataStoreNotAList),
        ([Trace(3, SET, Timestamp(1, 1)), Trace(2, SET, Timestamp(1, 2), ("array",))], None),
        ([Trace(2, SET, Timestamp(1, 3), ("leaf",)), Trace(1, SET, Timestamp(1, 4), ("object", "missing"))], None),
    ],
)
def test_what_stands_at_a_key_decides_whether_it_takes_a_push(traces, refusal):
    if refusal is None:
        check_push(("a", "l"), traces)
        return
    with pytest.raises(refusal, match=r"a\.l"):
        check_push(("a", "l"), traces)


def test_a_set_only_asks_what_stands_above():
    check_set(("a", "l"), [Trace(2, SET, Timestamp(1, 1), ("leaf",)), Trace(3, SET, Timestamp(1, 1))])
    with pytest.raises(DataStoreKeyInvalid, match="'a' holds a list"):
        check_set(("a", "l"), [Trace(1, SET, Timestamp(1, 1), ("array", "missing"))])


def test_what_is_found_along_a_key_ends_where_the_tree_ends():
    assert found_along({"b": [1]}, ("b", "c")) == ("object", "array", "missing")
    assert found_along(5, ("b",)) == ("leaf", "missing")


def test_the_servers_time_serves_unless_its_clock_was_set_back():
    assert time_after(None, 100) == BY_SERVER
    assert time_after(Timestamp(100, 7), 100) == BY_SERVER
    assert time_after(Timestamp(101, 7), 100) == Timestamp(101, 8)


def test_what_tasks_set_lies_over_what_is_derived():
    assert merged({"a": {"b": 1, "c": 2}}, {"a": {"b": 3}, "d": 4}) == {"a": {"b": 3, "c": 2}, "d": 4}
    assert merged(NOTHING, {"a": 1}) == {"a": 1}
    assert merged({"a": 1}, NOTHING) == {"a": 1}
    assert merged({"a": 1}, 5) == 5


def test_a_push_does_not_look_at_the_pushes_before_it():
    match = look("run", "data", ("a", "l"), PUSH)[0]["$match"]["$or"]
    assert {"run": "run", "section": "data", "path": "a.l", "kind": SET} in match


def test_the_names_in_a_key_are_taken_literally():
    pattern = whole("run", "data", parts_of("a(b.c*"))["path"]["$in"][-1]
    compiled = pattern.try_compile()
    assert compiled.match("a(b.c*.d")
    assert not compiled.match("aab.cc.d")
    assert not compiled.match("a(b.c*x")
