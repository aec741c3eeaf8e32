"""Paging: sizes, and opaque tokens that say where the next page begins."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from typing import Final, TypeVar

from lightflow.core.errors import InvalidRequest

DEFAULT_SIZE: Final = 100
LARGEST_SIZE: Final = 1000

Item = TypeVar("Item")
Place = list[str | int]
"""The sort key of the last item of a page."""


def size_of(page_size: int) -> int:
    """How many items a page may hold; 0 asks for the default, too many get the largest."""
    if page_size < 0:
        raise InvalidRequest("page_size", f"{page_size} is negative; leave it out for {DEFAULT_SIZE}")
    return min(page_size or DEFAULT_SIZE, LARGEST_SIZE)


def token_of(place: Place) -> str:
    """The token of the page after this place."""
    return urlsafe_b64encode(json.dumps(place).encode()).decode().rstrip("=")


def place_of(token: str, *kinds: type) -> Place | None:
    """The place that a token stands for, None for the first page; `kinds` are the types of its parts."""
    if not token:
        return None
    try:
        place = json.loads(urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    except ValueError:
        place = None
    if not isinstance(place, list) or [type(part) for part in place] != list(kinds):
        raise InvalidRequest("page_token", "it is not one that this service gave for this list; begin with none")
    return place


def page(items: Sequence[Item], name: Callable[[Item], str], size: int, token: str) -> tuple[list[Item], str]:
    """One page of items that are in memory, by unique name, and the token of the next one."""
    after = place_of(token, str)
    left = sorted((item for item in items if after is None or name(item) > str(after[0])), key=name)
    shown = left[:size]
    return shown, token_of([name(shown[-1])]) if len(left) > size else ""
