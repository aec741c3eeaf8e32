"""Failpoints: a test may end a service, or lose a reply, at any step that writes to MongoDB or sends a hint.

Every such step has one, by construction: it is named after the function that makes the call, as module:name. The switch
is LIGHTFLOW_FAILPOINTS in the environment of a service: without it, none of this is there. It names a file, in which a
test puts "STEP/FAULT"; the first process that reaches the step removes the file, and is struck.
"""

import os
import signal
import sys
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, cast

from pymongo.errors import AutoReconnect

from lightflow.core.states import Service

if TYPE_CHECKING:
    from lightflow.runtime.hints import Hints
    from lightflow.runtime.mongo import Database

SWITCH = "LIGHTFLOW_FAILPOINTS"
KILL_BEFORE, KILL_AFTER, REFUSED, LOST = "kill before", "kill after", "refused", "reply lost"

WRITES = frozenset(
    {
        "insert_one",
        "insert_many",
        "update_one",
        "update_many",
        "find_one_and_update",
        "bulk_write",
        "delete_one",
        "delete_many",
    }
)
DEPTH = 12


def step_under_way() -> str:
    """The function of the product that makes this call, as module:name."""
    frame = sys._getframe(1)
    for _ in range(DEPTH):
        module = frame.f_globals["__name__"]
        if module.startswith("lightflow") and module != __name__:
            return f"{module}:{frame.f_code.co_qualname}"
        if frame.f_back is None:
            break
        frame = frame.f_back
    return "outside"


class Failpoints:
    """Strikes as the file says, once."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def fault(self, step: str) -> str | None:
        """The fault that strikes this step now."""
        with suppress(FileNotFoundError):  # another process was struck, or none is to be
            wanted, _, fault = self._file.read_text().partition("/")
            if wanted == step:
                self._file.unlink()
                return fault
        return None

    async def write(self, made: Callable[[], Awaitable[Any]], step: str) -> Any:
        """Do a write, or what becomes of it."""
        fault = self.fault(step)
        if fault == KILL_BEFORE:
            _die()
        if fault == REFUSED:
            raise AutoReconnect(f"refused by the failpoint of {step}")
        result = await made()
        if fault == KILL_AFTER:
            _die()
        if fault == LOST:
            raise AutoReconnect(f"the reply was lost by the failpoint of {step}")
        return result


def around(database: "Database", hints: "Hints") -> "tuple[Database, Hints]":
    """The same with failpoints, where the switch is on."""
    if (file := os.environ.get(SWITCH)) is None:
        return database, hints
    failpoints = Failpoints(Path(file))
    return cast("Database", _Database(database, failpoints)), cast("Hints", _Hints(hints, failpoints))


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class _Wrapped:
    def __init__(self, wrapped: Any, failpoints: Failpoints) -> None:
        self._wrapped = wrapped
        self._failpoints = failpoints

    def __getattr__(self, name: str) -> Any:
        return getattr(self._wrapped, name)

    def with_options(self, **options: Any) -> Self:
        return type(self)(self._wrapped.with_options(**options), self._failpoints)


class _Database(_Wrapped):
    def __getitem__(self, name: str) -> "_Collection":
        return _Collection(self._wrapped[name], self._failpoints)


class _Collection(_Wrapped):
    def __getattr__(self, name: str) -> Any:
        made = getattr(self._wrapped, name)
        if name not in WRITES:
            return made
        failpoints = self._failpoints

        async def write(*arguments: Any, **options: Any) -> Any:
            return await failpoints.write(lambda: made(*arguments, **options), step_under_way())

        return write


class _Hints(_Wrapped):
    def send(self, service: Service, queue: str, ids: Iterable[str]) -> None:
        fault = self._failpoints.fault(step_under_way())
        if fault == KILL_BEFORE:
            _die()
        self._wrapped.send(service, queue, ids)
        if fault == KILL_AFTER:
            _die()
