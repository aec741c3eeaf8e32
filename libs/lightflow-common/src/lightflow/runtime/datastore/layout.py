"""How the data of a run lies in records, decided without I/O (docs/adr/0002-layout-of-the-store.md).

A record is one write: `set` puts a value at its path, `push` appends items to the list there. `at` is when the server
took it, and orders records that concern one place. A value is what the records above, at and below its path fold to.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from bson.timestamp import Timestamp

from lightflow.core.errors import DataStoreKeyInvalid, DataStoreNotAList, WorkflowArgumentError

Record = dict[str, Any]
Parts = tuple[str, ...]

SET, PUSH = "set", "push"
ABSENT, DICT, LIST, LEAF = "missing", "object", "array", "leaf"
"""What there may be at a place, in MongoDB's words; everything else is a leaf."""

NOTHING: Any = object()
BY_SERVER = Timestamp(0, 0)
"""What the server replaces by its own, ever growing time when it inserts the record."""

DEEPEST_KEY = 64


@dataclass(frozen=True, slots=True)
class Trace:
    """What the newest records of one kind at one place leave there and further down the key.

    `depth` is the place's number of parts, more than the key's for what lies below it; `found` begins at the place.
    """

    depth: int
    kind: str
    at: Timestamp
    found: tuple[str, ...] = ()


def check_arguments(names: Iterable[str]) -> None:
    """Raise WorkflowArgumentError for start arguments that are no keys of a store, or that exclude each other."""
    known: set[Parts] = set()
    for name in names:
        try:
            known.add(parts_of(name))
        except DataStoreKeyInvalid as error:
            raise WorkflowArgumentError(f"the name of an argument is where it lies in the store: {error}") from error
    for parts in known:
        for length in range(1, len(parts)):
            if parts[:length] in known:
                one, other = ".".join(parts[:length]), ".".join(parts)
                raise WorkflowArgumentError(
                    f"{one!r} and {other!r} exclude each other: the dot puts the second into the first"
                )


def parts_of(key: Any) -> Parts:
    """The levels of a dotted key. Raises DataStoreKeyInvalid."""
    if not isinstance(key, str):
        raise DataStoreKeyInvalid(str(key), f"it is a {type(key).__name__}, not a str")
    parts = tuple(key.split("."))
    if not all(parts):
        raise DataStoreKeyInvalid(key, "a name is empty; use names joined by single dots")
    if any(part.startswith("$") or "\0" in part for part in parts):
        raise DataStoreKeyInvalid(key, "a name may neither begin with '$' nor contain a null character")
    if len(parts) > DEEPEST_KEY:
        raise DataStoreKeyInvalid(key, f"it has {len(parts)} levels and {DEEPEST_KEY} are the limit")
    try:
        key.encode()
    except UnicodeEncodeError as error:
        raise DataStoreKeyInvalid(ascii(key), "it is not text") from error
    return parts


def ancestors(parts: Parts) -> list[str]:
    """The keys above one, outermost first."""
    return [".".join(parts[:depth]) for depth in range(1, len(parts))]


def found_along(tree: Any, rest: Sequence[str]) -> tuple[str, ...]:
    """What there is in a tree: at its root, at the first name of `rest` below it, and so on."""
    found = []
    for name in (*rest, None):
        found.append(
            DICT if type(tree) is dict else LIST if type(tree) is list else ABSENT if tree is NOTHING else LEAF
        )
        tree = tree.get(name, NOTHING) if type(tree) is dict else NOTHING
    return tuple(found)


def check_set(parts: Parts, traces: Iterable[Trace]) -> None:
    """DataStoreKeyInvalid unless all that stands above the key is a dict, or nothing."""
    for depth, here in enumerate(_standing(parts, traces)[:-1]):
        if here not in (DICT, ABSENT):
            above = ".".join(parts[:depth])
            what = "a list" if here == LIST else "a value that keys cannot reach into"
            raise DataStoreKeyInvalid(".".join(parts), f"{above!r} holds {what}; set {above!r} itself to replace it")


def check_push(parts: Parts, traces: Iterable[Trace]) -> None:
    """As check_set, and DataStoreNotAList unless there is a list at the key, or nothing."""
    traces = list(traces)
    check_set(parts, traces)
    if _standing(parts, traces)[-1] not in (LIST, ABSENT):
        raise DataStoreNotAList(".".join(parts))


def time_after(newest: Timestamp | None, now: int) -> Timestamp:
    """The time of a new record; `now` is the server's clock in seconds.

    The server's own time serves, unless its clock was set back since: what is written now must still count as newer.
    """
    if newest is None or newest.time <= now:
        return BY_SERVER
    return Timestamp(newest.time, newest.inc + 1)


def just_after(newest: Timestamp | None) -> Timestamp | None:
    """The time before which lies all that is as old as this."""
    return None if newest is None else Timestamp(newest.time, newest.inc + 1)


def pick(tree: Any, parts: Sequence[str]) -> Any:
    """What a tree holds under the names, NOTHING when there is none."""
    for name in parts:
        if type(tree) is not dict or name not in tree:
            return NOTHING
        tree = tree[name]
    return tree


def merged(under: Any, over: Any) -> Any:
    """Two trees laid over each other, dict by dict; elsewhere `over` wins."""
    if type(under) is dict and type(over) is dict:
        return under | {name: merged(under.get(name, NOTHING), value) for name, value in over.items()}
    return under if over is NOTHING else over


def assign(tree: dict[str, Any], parts: Sequence[str], value: Any) -> None:
    """Put a value into a tree, creating the levels above it."""
    *above, name = parts
    _level(tree, above)[name] = value


def _level(tree: dict[str, Any], parts: Sequence[str]) -> dict[str, Any]:
    for name in parts:
        if type(tree.get(name)) is not dict:
            tree[name] = {}
        tree = tree[name]
    return tree


def _standing(parts: Parts, traces: Iterable[Trace]) -> list[str]:
    """What stands at each level of the key, from the root to the key itself."""
    standing = [DICT] + [ABSENT] * len(parts)
    for trace in sorted(traces, key=lambda trace: trace.at):
        depth = min(trace.depth, len(parts) + 1)
        standing[:depth] = [DICT] * depth
        if trace.kind == PUSH and depth <= len(parts):
            standing[depth:] = [LIST] + [ABSENT] * (len(parts) - depth)
        else:
            below = len(standing) - depth
            standing[depth:] = [*trace.found, *[ABSENT] * below][:below]
    return standing


def known(found: Iterable[str]) -> tuple[str, ...]:
    """MongoDB's type names reduced to those that matter here."""
    return tuple(name if name in (ABSENT, DICT, LIST) else LEAF for name in found)
