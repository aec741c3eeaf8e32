"""What a request may say: malformed parts are named before anything is touched."""

import re
from collections.abc import Iterable, Sequence
from typing import Final

from lightflow.core.errors import InvalidRequest
from lightflow.core.states import State

RUN_ID_DIGITS: Final = 24
MOST_RUNS: Final = 100
_FEWEST_DIGITS: Final = 4
_LONGEST_NAME: Final = 200


def run_id(text: str) -> str:
    """A run id, or the beginning of one; in lower case."""
    if not text:
        raise InvalidRequest("run_id", "it is missing")
    if not re.fullmatch(r"[0-9a-fA-F]{1,24}", text):
        raise InvalidRequest("run_id", f"{text[:60]!r} is no run id; one has {RUN_ID_DIGITS} hexadecimal digits")
    if len(text) < _FEWEST_DIGITS:
        raise InvalidRequest("run_id", f"{text!r} is too short; give at least {_FEWEST_DIGITS} digits")
    return text.lower()


def run_ids(field: str, given: Sequence[str]) -> list[str]:
    """Whole run ids, not too many."""
    if len(given) > MOST_RUNS:
        raise InvalidRequest(field, f"it names {len(given)} runs; {MOST_RUNS} are the most")
    for text in given:
        if not re.fullmatch(rf"[0-9a-f]{{{RUN_ID_DIGITS}}}", text):
            raise InvalidRequest(field, f"{text[:60]!r} is no whole run id")
    return list(given)


def states(given: Iterable[str]) -> list[str]:
    """Names of states, as they are."""
    found = list(given)
    for state in found:
        if state not in State.__members__.values():
            known = ", ".join(State)
            raise InvalidRequest("states", f"{state!r} is no state; there are {known}")
    return found


def name(field: str, text: str) -> str:
    """A name of a workflow, which is that of a file, or of a queue."""
    if not text:
        raise InvalidRequest(field, "it is missing")
    if len(text) > _LONGEST_NAME or text.startswith(".") or any(sign in "/\\" or ord(sign) < 32 for sign in text):
        raise InvalidRequest(field, f"{text[:60]!r} is no name; use letters, digits and _")
    return text


def section(text: str) -> str:
    """A section of the store; the data section when unset."""
    if text not in ("", "data", "meta"):
        raise InvalidRequest("section", f"{text!r} is no section; there are data and meta")
    return text or "data"


def given(field: str, text: str) -> str:
    """A text that must not be empty."""
    if not text or "\0" in text:
        raise InvalidRequest(field, "it is missing" if not text else "it has a NUL character")
    return text
