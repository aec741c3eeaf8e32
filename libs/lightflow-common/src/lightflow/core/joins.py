"""Who waits for whom in a run."""

from collections.abc import Iterable, Mapping
from typing import Any

from lightflow.core.errors import JoinImpossible

Join = Mapping[str, Any]
"""{request, caller, names}: a DAG run that waits for others."""


def attempt_of(request: str) -> tuple[str, int] | None:
    """(task, attempt) of the request of a task, which is made of both and the number of its call; None of another's."""
    task, *attempt = request.rsplit("/", 2)
    return (task, int(attempt[0])) if len(attempt) == 2 and attempt[0].isdigit() else None


def check(joins: Iterable[Join], request: str) -> None:
    """Raise JoinImpossible when this join closes a circle with those before it; of several, the newest is at fault."""
    waits: dict[str, set[str]] = {}
    for join in joins:
        if join["request"] == request:
            _check(join["caller"], set(join["names"]), waits)
            return
        waits.setdefault(join["caller"], set()).update(join["names"])


def _check(caller: str, names: set[str], waits: Mapping[str, set[str]]) -> None:
    if caller in names:
        raise JoinImpossible(f"{caller} would wait for itself")
    reached, left = {name: [name] for name in names}, sorted(names)
    while left:
        name = left.pop()
        for further in waits.get(name, ()):
            if further == caller:
                path = " -> ".join([caller, *reached[name], caller])
                raise JoinImpossible(f"the DAG runs would wait for each other for ever: {path}")
            if further not in reached:
                reached[further] = [*reached[name], further]
                left.append(further)
