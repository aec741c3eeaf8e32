"""Values of the store as bytes, where user code runs: plain values as BSON, every other leaf as a cloudpickle.

Only exact types count as plain: what comes back must be the object that went in, and a subclass, a numpy scalar, a
datetime with a zone or with microseconds would come back as something else.
"""

import pickle
from datetime import datetime
from typing import Any

import cloudpickle
from bson.binary import Binary
from bson.int64 import Int64

from lightflow.runtime.datastore.tree import PICKLE_SUBTYPE, Buffer, from_tree, to_tree

__all__ = ["decode", "encode", "from_tree", "to_tree"]

# MongoDB refuses documents that nest deeper than about a hundred levels; keys add theirs to those of a value.
DEEPEST = 64


def encode(value: Any) -> bytes:
    """The BSON value encoding of any object that cloudpickle takes."""
    return from_tree(_plain(value, ()))


def decode(data: Buffer) -> Any:
    """The object that was encoded. Unpickles: only for bytes whose origin was verified, in a process of the user."""
    return _revived(to_tree(data))


def _plain(value: Any, above: tuple[int, ...]) -> Any:
    """`above`: the ids of the containers around the value; one that holds itself is pickled where it does."""
    kind = type(value)
    if kind in (dict, list) and len(above) < DEEPEST and id(value) not in above:
        above = (*above, id(value))
        if kind is list:
            return [_plain(child, above) for child in value]
        if all(map(_is_name, value)):
            return {name: _plain(child, above) for name, child in value.items()}
    return value if _is_plain(kind, value) else Binary(cloudpickle.dumps(value), PICKLE_SUBTYPE)


def _is_plain(kind: type, value: Any) -> bool:
    if kind is str:
        return _is_text(value)
    if kind is int:
        return bool(-(2**63) <= value < 2**63)
    if kind is datetime:
        return value.tzinfo is None and value.microsecond % 1000 == 0 and value.fold == 0
    return kind in (float, bool, bytes, type(None))


def _is_name(key: Any) -> bool:
    """Whether MongoDB can hold a field of that name, and a dotted key can reach it."""
    return type(key) is str and key != "" and key[0] != "$" and "." not in key and "\0" not in key and _is_text(key)


def _is_text(value: str) -> bool:
    if value.isascii():
        return True
    try:
        value.encode()
    except UnicodeEncodeError:  # a lone surrogate
        return False
    return True


def _revived(tree: Any) -> Any:
    kind = type(tree)
    if kind is dict:
        return {name: _revived(child) for name, child in tree.items()}
    if kind is list:
        return [_revived(child) for child in tree]
    if kind is Int64:
        return int(tree)
    if kind is Binary and tree.subtype == PICKLE_SUBTYPE:
        return pickle.loads(tree)  # noqa: S301 -- the worker has verified where it comes from
    return tree
