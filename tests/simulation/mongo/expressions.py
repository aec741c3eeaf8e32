"""Aggregation expressions, as far as the services use them; anything else is an error, never a wrong answer."""

import operator
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from bson.timestamp import Timestamp
from tests.simulation.mongo.values import MISSING, field, order, type_name

Variables = Mapping[str, Any]


class EvaluationError(Exception):
    """The server would refuse to compute this."""


def evaluate(expression: Any, document: Any, variables: Variables) -> Any:
    """The value of an expression for a document; MISSING where it has none."""
    if isinstance(expression, str) and expression.startswith("$"):
        return _path(expression, document, variables)
    if isinstance(expression, list | tuple):
        found = [evaluate(each, document, variables) for each in expression]
        return [None if value is MISSING else value for value in found]
    if isinstance(expression, dict):
        if len(expression) == 1 and (name := next(iter(expression))).startswith("$"):
            return _operation(name, expression[name], document, variables)
        computed = {name: evaluate(each, document, variables) for name, each in expression.items()}
        return {name: value for name, value in computed.items() if value is not MISSING}
    return expression


def _path(expression: str, document: Any, variables: Variables) -> Any:
    if not expression.startswith("$$"):
        return field(document, expression[1:])
    name, _, rest = expression[2:].partition(".")
    value = {"ROOT": document, "REMOVE": MISSING, **variables}[name]
    return field(value, rest) if rest else value


def _operation(name: str, operand: Any, document: Any, variables: Variables) -> Any:
    if name in _LAZY:
        return _LAZY[name](operand, document, variables)
    if name not in _STRICT:
        raise NotImplementedError(name)
    several = isinstance(operand, list | tuple)
    return _STRICT[name](*(evaluate(each, document, variables) for each in (operand if several else [operand])))


def _condition(operand: Any, document: Any, variables: Variables) -> Any:
    test, then, otherwise = operand
    return evaluate(then if _truth(evaluate(test, document, variables)) else otherwise, document, variables)


def _switch(operand: Any, document: Any, variables: Variables) -> Any:
    for branch in operand["branches"]:
        if _truth(evaluate(branch["case"], document, variables)):
            return evaluate(branch["then"], document, variables)
    return evaluate(operand["default"], document, variables)


def _filter(operand: Any, document: Any, variables: Variables) -> Any:
    items = evaluate(operand["input"], document, variables)
    if items is None or items is MISSING:
        return None
    return [item for item in items if _truth(evaluate(operand["cond"], document, {**variables, "this": item}))]


def _in(operand: Any, document: Any, variables: Variables) -> bool:
    value, items = (evaluate(each, document, variables) for each in operand)
    return value in items


def _truth(value: Any) -> bool:
    return value is not MISSING and value is not None and value is not False and value != 0


def _nothing(value: Any) -> bool:
    return value is None or value is MISSING


def _add(*values: Any) -> Any:
    if any(map(_nothing, values)):
        return None
    total = values[0]
    for value in values[1:]:
        total += timedelta(milliseconds=value) if isinstance(total, datetime) else value
    return total


def _subtract(left: Any, right: Any) -> Any:
    if _nothing(left) or _nothing(right):
        return None
    if isinstance(left, datetime):
        return (
            (left - right) // timedelta(milliseconds=1)
            if isinstance(right, datetime)
            else left - timedelta(milliseconds=right)
        )
    return left - right


def _array(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise EvaluationError(f"{value!r} is no array")
    return value


def _slice(items: Any, count: int) -> Any:
    return items[:count] if count >= 0 else items[count:]


def _extreme(choose: Callable[..., Any]) -> Callable[..., Any]:
    def extreme(*values: Any) -> Any:
        given = [value for value in values if not _nothing(value)]
        return choose(given, key=order) if given else None

    return extreme


def _compared(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    return lambda left, right: compare(order(left), order(right))


def _to_date(value: Any) -> datetime:
    return value.as_datetime() if isinstance(value, Timestamp) else value


_LAZY: dict[str, Callable[[Any, Any, Variables], Any]] = {
    "$literal": lambda operand, *_: operand,
    "$cond": _condition,
    "$switch": _switch,
    "$filter": _filter,
    "$in": _in,
    "$concatArrays": lambda operand, *where: [item for each in operand for item in _array(evaluate(each, *where))],
    "$size": lambda operand, *where: len(_array(evaluate(operand, *where))),
    "$last": lambda operand, *where: (evaluate(operand, *where) or [MISSING])[-1],
    "$type": lambda operand, *where: type_name(evaluate(operand, *where)),
    "$not": lambda operand, *where: not _truth(evaluate(operand[0] if isinstance(operand, list) else operand, *where)),
}

_STRICT: dict[str, Callable[..., Any]] = {
    "$ifNull": lambda *values: next((value for value in values[:-1] if not _nothing(value)), values[-1]),
    "$mergeObjects": lambda *parts: {
        name: value for part in parts if not _nothing(part) for name, value in part.items()
    },
    "$eq": _compared(operator.eq),
    "$ne": _compared(operator.ne),
    "$gt": _compared(operator.gt),
    "$gte": _compared(operator.ge),
    "$lt": _compared(operator.lt),
    "$lte": _compared(operator.le),
    "$add": _add,
    "$subtract": _subtract,
    "$max": _extreme(max),
    "$min": _extreme(min),
    "$slice": _slice,
    "$concat": lambda *texts: None if any(map(_nothing, texts)) else "".join(texts),
    "$toString": str,
    "$toLong": lambda value: int(value.astimezone(UTC).timestamp() * 1000),
    "$toDate": _to_date,
    "$indexOfBytes": lambda text, part: text.encode().find(part.encode()),
}
