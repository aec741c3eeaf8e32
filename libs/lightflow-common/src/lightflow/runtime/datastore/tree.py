"""Values of the store as bytes that any process may read: BSON, with what MongoDB cannot hold as opaque pickles.

Nothing here unpickles, so that services that must never meet user code can move values about.
"""

import struct
from collections.abc import Iterator
from typing import Any

import bson
from bson.binary import Binary
from bson.errors import BSONError

from lightflow.core.errors import DataTooLarge, InvalidRequest

PICKLE_SUBTYPE = 0x80
OBJECT, ARRAY = 3, 4  # as BSON numbers its types
_BEFORE = 7  # bytes before the value: a length, a type and "v"
_EMPTY = 8
LIMIT = 2**31 - 64  # BSON counts its bytes in a signed 32 bit integer


Buffer = bytes | bytearray | memoryview


def to_tree(data: Buffer) -> Any:
    """What the bytes hold, pickles left as `Binary`; InvalidRequest if they are no encoded value."""
    try:
        document = bson.decode(data)
    except (BSONError, OverflowError, UnicodeDecodeError) as error:
        raise InvalidRequest("value", f"it is not BSON ({error})") from error
    if list(document) != ["v"]:
        raise InvalidRequest("value", "it must be a BSON document with the one field 'v'")
    return document["v"]


def from_tree(tree: Any) -> bytes:
    """The bytes of a tree of plain values and pickles; DataTooLarge beyond 2 GiB."""
    try:
        return bson.encode({"v": tree})
    except (OverflowError, MemoryError, BSONError) as error:
        size = _rough_size(tree)
        if size < LIMIT:
            raise
        raise DataTooLarge("A value of the store", size, LIMIT) from error


def kind_of(data: bytes) -> int:
    """The BSON type of an encoded value, without a look at the rest; InvalidRequest if it cannot be one."""
    if len(data) < _EMPTY or int.from_bytes(data[:4], "little") != len(data) or data[5:_BEFORE] != b"v\0":
        raise InvalidRequest("value", "it must be a BSON document with the one field 'v'")
    return data[4]


def listed(data: bytes) -> bytes:
    """The encoding of a list with an encoded value as its one item: a large one is copied once, and not decoded."""
    size = len(data) + _BEFORE + 1
    head = struct.pack("<iB2siB2s", size, ARRAY, b"v\0", size - _BEFORE - 1, kind_of(data), b"0\0")
    return b"".join((head, memoryview(data)[_BEFORE:-1], b"\0\0"))


def pickles(tree: Any) -> Iterator[bytes]:
    """The pickles in a tree, in its order."""
    if type(tree) is Binary and tree.subtype == PICKLE_SUBTYPE:
        yield tree
    elif type(tree) is dict:
        for child in tree.values():
            yield from pickles(child)
    elif type(tree) is list:
        for child in tree:
            if type(child) in (Binary, dict, list):
                yield from pickles(child)


def _rough_size(tree: Any) -> int:
    if isinstance(tree, dict):
        return sum(_rough_size(child) for child in tree.values())
    if isinstance(tree, list):
        return sum(_rough_size(child) for child in tree)
    return len(tree) if isinstance(tree, str | bytes) else 8
