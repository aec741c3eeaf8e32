"""What a task returns."""

import copy
from collections.abc import Iterable
from typing import Any

from lightflow.models.task_data import MultiTaskData


class Action:
    """What a task returns: the data for the successors, and which of them run.

    `limit` holds task objects or names of immediate successors: those run, the others are skipped. None means all, an
    empty list none.
    """

    def __init__(self, data: MultiTaskData, limit: Iterable[Any] | None = None) -> None:
        self._data = data
        self._limit = limit

    @property
    def data(self) -> MultiTaskData:
        """The data for the successors."""
        return self._data

    @property
    def limit(self) -> Iterable[Any] | None:
        """The successors that run, None for all of them."""
        return self._limit

    def copy(self) -> "Action":
        """An action with its own copy of the data."""
        return Action(copy.deepcopy(self._data), copy.copy(self._limit))


def limit_names(limit: Any) -> tuple[str, ...] | None:
    """The names of the selected successors; a single task or name stands for a list of it."""
    if limit is None:
        return None
    chosen = [limit] if isinstance(limit, str) or hasattr(limit, "name") else limit
    return tuple(str(getattr(task, "name", task)) for task in chosen)
