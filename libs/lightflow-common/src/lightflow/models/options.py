"""How often, how late and how long a task is tried."""

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from typing import Any

from lightflow.core.nearest import hint

ErrorTypes = type[BaseException] | Iterable[type[BaseException]] | None


@dataclass(frozen=True, slots=True)
class TaskOptions:
    """Times in seconds; `retry_on` holds the exception types that are retried, None retries all."""

    retries: int = 0
    retry_delay: float = 0.0
    retry_backoff: float = 1.0
    retry_jitter: float = 0.0
    retry_on: tuple[type[BaseException], ...] | None = None
    timeout: float | None = None

    def __post_init__(self) -> None:
        if isinstance(self.retries, bool) or not isinstance(self.retries, int) or self.retries < 0:
            raise ValueError(f"retries is a whole number from 0, not {self.retries!r}")
        for name in ("retry_delay", "retry_backoff", "retry_jitter"):
            if not _is_number(getattr(self, name)) or getattr(self, name) < 0:
                raise ValueError(f"{name} is a number from 0, not {getattr(self, name)!r}")
        if self.timeout is not None and (not _is_number(self.timeout) or self.timeout <= 0):
            raise ValueError(f"timeout is a number of seconds above 0 or None, not {self.timeout!r}")
        object.__setattr__(self, "retry_on", _as_types(self.retry_on))

    def changed(self, changes: dict[str, Any]) -> "TaskOptions":
        """The options with these changes; raises TypeError for an unknown name, ValueError for a wrong value."""
        known = [field.name for field in fields(self)]
        for name in changes:
            if name not in known:
                raise TypeError(f"there is no task option {name!r}{hint(name, known)}")
        return replace(self, **changes)

    def retries_after(self, error: BaseException) -> bool:
        """Whether an attempt that raised this may be repeated."""
        return self.retry_on is None or isinstance(error, self.retry_on)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value == value and value != float("inf")


def _as_types(given: ErrorTypes) -> tuple[type[BaseException], ...] | None:
    if given is None:
        return None
    types = (given,) if isinstance(given, type) else tuple(given)
    for kind in types:
        if not (isinstance(kind, type) and issubclass(kind, BaseException)):
            raise ValueError(f"retry_on holds exception types, not {kind!r}")
    return types
