"""What people type, read: arguments, times, values. Each refusal says what to type instead."""

import json
import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import click

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_AGO = re.compile(r"(\d+(?:\.\d+)?)\s*([smhdw])")


def parse_arguments(words: Iterable[str]) -> dict[str, str]:
    """Start arguments from `key=value` words; the value is everything after the first `=`, and may be empty."""
    arguments: dict[str, str] = {}
    for word in words:
        name, equals, value = word.partition("=")
        name = name.strip()
        if not equals:
            raise click.UsageError(_without_equals(word))
        if not name:
            raise click.UsageError(f"{word!r} has no name before the '='; write NAME=VALUE without spaces around '='")
        if name in arguments:
            raise click.UsageError(f"{name!r} is given twice")
        arguments[name] = value
    return arguments


def _without_equals(word: str) -> str:
    if word.startswith("-"):
        return f"{word!r} is no option here and no argument of the workflow; arguments are NAME=VALUE"
    return f"{word!r} is not of the form NAME=VALUE; quote a value that has spaces: 'NAME=some words'"


def parse_since(text: str, now: datetime) -> datetime:
    """A time, in UTC: `10m`, `2h`, `3d` before `now`, or ISO 8601 (local time where it names no zone)."""
    if match := _AGO.fullmatch(text.strip()):
        number, unit = match.groups()
        try:
            return now.astimezone(UTC) - timedelta(**{_UNITS[unit]: float(number)})
        except OverflowError:
            raise click.UsageError(f"{text!r} is longer ago than time goes back") from None
    try:
        return datetime.fromisoformat(text.strip()).astimezone(UTC)
    except (ValueError, OverflowError):
        message = f"{text!r} is no time; write how long ago (10m, 2h, 3d) or a date like 2024-05-31T14:00"
        raise click.UsageError(message) from None


def parse_age(text: str) -> timedelta:
    """A length of time: `30m`, `2h`, `3d`."""
    if match := _AGO.fullmatch(text.strip()):
        number, unit = match.groups()
        try:
            return timedelta(**{_UNITS[unit]: float(number)})
        except OverflowError:
            raise click.UsageError(f"{text!r} is longer than any time") from None
    raise click.UsageError(f"{text!r} is no length of time; write it like 30m, 2h or 3d")


def parse_value(text: str) -> Any:
    """A value of the data store: JSON where it is JSON, else the text itself."""
    try:
        return json.loads(text, parse_constant=_no_constant)
    except ValueError:
        return text


def _no_constant(name: str) -> Any:
    # Python would read NaN and Infinity, which are no JSON and which the service refuses.
    raise ValueError(name)
