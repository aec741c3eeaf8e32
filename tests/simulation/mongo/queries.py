"""Filters of queries, as far as the services use them; anything else is an error, never a wrong answer."""

import operator
import re
from collections.abc import Callable
from typing import Any

from bson.regex import Regex
from tests.simulation.mongo import expressions
from tests.simulation.mongo.values import MISSING, Document, order, rank, reached


def matches(document: Document, query: Document, now: Any) -> bool:
    """Whether a document passes a filter."""
    return all(_clause(document, name, wanted, now) for name, wanted in query.items())


def _clause(document: Document, name: str, wanted: Any, now: Any) -> bool:
    if name == "$or":
        return any(matches(document, branch, now) for branch in wanted)
    if name == "$and":
        return all(matches(document, branch, now) for branch in wanted)
    if name == "$expr":
        return bool(expressions.evaluate(wanted, document, {"NOW": now}))
    if name.startswith("$"):
        raise NotImplementedError(name)
    if "." not in name:
        return _condition([document.get(name, MISSING)], wanted, now)
    return _condition(list(reached(document, name)), wanted, now)


def _condition(found: list[Any], wanted: Any, now: Any) -> bool:
    if type(wanted) is dict and wanted and all(name.startswith("$") for name in wanted):
        return all(_operator(found, name, operand, now) for name, operand in wanted.items())
    return any(_equals(value, wanted) for value in found)


def _operator(found: list[Any], name: str, operand: Any, now: Any) -> bool:
    if name in _COMPARISONS:
        return any(rank(value) == rank(operand) and _COMPARISONS[name](order(value), order(operand)) for value in found)
    if name == "$ne":
        return not _condition(found, operand, now)
    if name == "$in":
        return any(_equals(value, each) for value in found for each in operand)
    if name == "$nin":
        return not _operator(found, "$in", operand, now)
    if name == "$not":
        return not _condition(found, operand, now)
    if name == "$exists":
        return any(value is not MISSING for value in found) == bool(operand)
    if name == "$size":
        return any(isinstance(value, list) and len(value) == operand for value in found)
    if name == "$elemMatch":
        arrays = [value for value in found if isinstance(value, list)]
        return any(
            isinstance(element, dict) and matches(element, operand, now) for array in arrays for element in array
        )
    raise NotImplementedError(name)


def _equals(value: Any, wanted: Any) -> bool:
    if isinstance(wanted, Regex):
        return isinstance(value, str) and re.search(wanted.pattern, value) is not None
    if wanted is None:
        return value is None or value is MISSING or (isinstance(value, list) and None in value)
    if isinstance(value, list) and not isinstance(wanted, list):
        return any(_equals(element, wanted) for element in value)
    return value is not MISSING and rank(value) == rank(wanted) and bool(value == wanted)


_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "$gt": operator.gt,
    "$gte": operator.ge,
    "$lt": operator.lt,
    "$lte": operator.le,
}
