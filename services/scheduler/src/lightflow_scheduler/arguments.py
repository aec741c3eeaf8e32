"""Start arguments: from the contract to what the run stores and shows. Python values stay opaque."""

import json
import math
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from bson.binary import Binary

from lightflow.control.v1 import control_pb2 as pb
from lightflow.core.arguments import Encoded, convert
from lightflow.core.errors import InvalidRequest, WorkflowArgumentError
from lightflow.core.graph import OptionSpec
from lightflow.runtime.datastore.layout import check_arguments
from lightflow.runtime.datastore.tree import PICKLE_SUBTYPE, to_tree
from lightflow_scheduler.values import tree_of

_PLAIN = ("str", "int", "float", "bool")
_LONGEST = 2000
_EXACT = 2**53  # whole numbers up to here survive as JSON numbers everywhere


def given(arguments: Iterable[pb.Argument]) -> dict[str, Any]:
    """The arguments of a request, by name: text as typed, Python values as trees."""
    found: dict[str, Any] = {}
    for argument in arguments:
        if argument.name in found:
            raise InvalidRequest("arguments", f"{argument.name!r} is given twice")
        kind = argument.WhichOneof("value")
        if kind is None:
            raise InvalidRequest("arguments", f"{argument.name!r} has no value")
        found[argument.name] = argument.text if kind == "text" else tree_of(argument.encoded)
    return found


def stored(options: Iterable[OptionSpec], arguments: Mapping[str, Any]) -> dict[str, Any]:
    """What lands in the store, as trees by name; raises WorkflowArgumentError."""
    options = list(options)
    for option in options:
        if option.type in _PLAIN and _is_pickle(arguments.get(option.name)):
            raise WorkflowArgumentError(f"option {option.name!r} takes {option.type}, not a Python object")
    values = convert(options, arguments)
    check_arguments(values)
    return {name: to_tree(value.data) if isinstance(value, Encoded) else value for name, value in values.items()}


def shown(trees: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments as far as JSON can say them; long ones are cut, because every look at the run reads them."""
    return {name: _cut(_shown(tree)) for name, tree in trees.items()}


def _cut(value: Any) -> Any:
    text = value if isinstance(value, str) else json.dumps(value)
    return value if len(text) <= _LONGEST else f"{text[:_LONGEST]}... ({len(text):,} characters)"


def _shown(tree: Any) -> Any:
    if isinstance(tree, Mapping):
        return {str(name): _shown(child) for name, child in tree.items()}
    if isinstance(tree, list):
        return [_shown(child) for child in tree]
    if tree is None or isinstance(tree, bool | str):
        return tree
    if isinstance(tree, int):
        return int(tree) if abs(tree) <= _EXACT else str(tree)
    if isinstance(tree, float):
        return tree if math.isfinite(tree) else str(tree)
    if isinstance(tree, datetime):
        return tree.isoformat()
    return f"<a Python object, {len(tree)} bytes>" if _is_pickle(tree) else f"<{len(tree)} bytes>"


def _is_pickle(tree: Any) -> bool:
    return isinstance(tree, Binary) and tree.subtype == PICKLE_SUBTYPE
