import collections
import enum
import pickle
from datetime import UTC, datetime
from decimal import Decimal

import bson
import numpy as np
import pytest
from bson.binary import Binary
from hypothesis import given
from hypothesis import strategies as st

from lightflow.core.errors import InvalidRequest, LightflowException
from lightflow.runtime.datastore.encoding import decode, encode, from_tree, to_tree
from lightflow.runtime.datastore.tree import ARRAY, OBJECT, kind_of, listed, pickles


class Colour(enum.IntEnum):
    RED = 1


class Name(str):
    __slots__ = ()


PLAIN = [
    1,
    -(2**63),
    2**63 - 1,
    2**40,
    1.5,
    "",
    "ä",
    True,
    None,
    b"\x00\x80",
    datetime(2024, 5, 6, 7, 8, 9, 123000),
    [],
    {},
]
PICKLED = [
    2**63,
    (1, 2),
    {1, 2},
    1j,
    Decimal("1.5"),
    np.float64(1.5),
    Colour.RED,
    Name("x"),
    datetime(2024, 5, 6, tzinfo=UTC),
    datetime(2024, 5, 6, 7, 8, 9, 123456),
    {1: "a"},
    {"a.b": 1},
    {"$a": 1},
    {"": 1},
    {"a\0b": 1},
    collections.OrderedDict(b=1, a=2),
    bytearray(b"x"),
    "\ud800",
    Binary(b"x", 0x80),
    bson.ObjectId("0123456789abcdef01234567"),
]


def same(one: object, other: object) -> bool:
    return type(one) is type(other) and one == other


@pytest.mark.parametrize("value", PLAIN, ids=repr)
def test_a_plain_value_is_held_as_such(value):
    assert same(decode(encode(value)), value)
    assert not list(pickles(to_tree(encode([value]))))


@pytest.mark.parametrize("value", PICKLED, ids=repr)
def test_anything_else_is_pickled_and_comes_back_as_that_object(value):
    assert same(decode(encode(value)), value)
    assert len(list(pickles(to_tree(encode([{"deep": value}]))))) == 1


def test_an_array_comes_back_with_its_type():
    array = np.arange(6, dtype=np.int16).reshape(2, 3)
    back = decode(encode({"array": array}))["array"]
    assert back.dtype == array.dtype
    assert (back == array).all()


def test_a_function_of_main_travels_by_value():
    scope: dict[str, object] = {"__name__": "__main__"}
    exec("def double(x): return 2 * x", scope)
    assert decode(encode(scope["double"]))(4) == 8


def test_a_list_that_holds_itself_survives():
    ring: list[object] = [1]
    ring += [ring, ring]
    back = decode(encode(ring))
    assert back[0] == 1
    assert back[1][1][2][0] == 1


def test_nesting_deeper_than_mongodb_allows_survives():
    value: object = "bottom"
    for _ in range(60):
        value = {"down": [value]}
    assert decode(encode(value)) == value


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary() | st.datetimes(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner) | st.tuples(inner, inner),
)


@given(values)
def test_every_value_comes_back_equal(value):
    assert decode(encode(value)) == value


@given(values)
def test_a_value_is_moved_about_without_unpickling_and_without_change(value):
    data = encode(value)
    assert from_tree(to_tree(data)) == data


@pytest.mark.parametrize(
    "garbage", [b"", b"x", b"\x05\0\0\0\0", bson.encode({"w": 1}), bson.encode({"v": 1, "w": 2}), pickle.dumps(1)]
)
def test_bytes_that_are_no_value_are_refused_by_name(garbage):
    with pytest.raises(InvalidRequest, match="value") as refusal:
        to_tree(garbage)
    assert isinstance(refusal.value, LightflowException)


@pytest.mark.parametrize("value", [*PLAIN, (1, 2), {"a": [1]}], ids=repr)
def test_a_list_of_one_value_is_made_without_decoding_it(value):
    assert listed(encode(value)) == from_tree([to_tree(encode(value))])


def test_the_kind_of_a_value_is_read_from_its_first_bytes():
    assert [kind_of(encode(value)) for value in ({}, [], (1, 2))] == [OBJECT, ARRAY, 5]


@pytest.mark.parametrize("data", [b"", b"\0" * 8, encode(1)[:-1], encode(1) + b"\0", bson.encode({"w": 1})], ids=repr)
def test_what_is_no_value_is_not_of_any_kind(data):
    with pytest.raises(InvalidRequest):
        kind_of(data)
