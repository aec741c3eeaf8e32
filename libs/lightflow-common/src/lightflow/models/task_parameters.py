"""Parameters of a task that may be values, or functions that yield them when the task runs."""

from collections.abc import Iterable
from typing import Any


class TaskParameters(dict[str, Any]):
    """The parameters of a task type: a dict with attribute access, whose values may be callables `(data, store)`."""

    def __getattr__(self, key: str) -> Any:
        try:
            return self[key]
        except KeyError:
            raise AttributeError(f"there is no parameter {key!r}") from None

    def __setattr__(self, key: str, value: Any) -> None:
        self[key] = value

    def __delattr__(self, key: str) -> None:
        try:
            del self[key]
        except KeyError:
            raise AttributeError(f"there is no parameter {key!r}") from None

    def eval(self, data: Any, store: Any, *, exclude: Iterable[str] | None = None) -> "TaskParameters":
        """A copy, callables replaced by what they return for this `data` and `store`, without the excluded keys."""
        left_out = set(exclude or ())
        return TaskParameters({key: self.eval_single(key, data, store) for key in self if key not in left_out})

    def eval_single(self, key: str, data: Any, store: Any) -> Any:
        """The value of one parameter; raises AttributeError when there is none of that name."""
        value = self.__getattr__(key)  # not getattr: a parameter may be named like a method of dict
        return value(data, store) if callable(value) else value
