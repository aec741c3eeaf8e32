"""A task that calls a function."""

from collections.abc import Callable
from typing import Any

from lightflow.models import Action, BaseTask, DataStoreDocument, MultiTaskData, TaskContext, TaskSignal
from lightflow.models.calling import call


class PythonTask(BaseTask):
    """Calls `callback(data, store, signal, context)`, which may be `async def`, and returns what it returns.

    Without a callback the task hands its data on. `options` are the arguments of `BaseTask`.
    """

    def __init__(self, name: str, callback: Callable[..., Any] | None = None, **options: Any) -> None:
        super().__init__(name, **options)
        self._callback = callback

    def run(
        self, data: MultiTaskData, store: DataStoreDocument, signal: TaskSignal, context: TaskContext
    ) -> Action | None:
        """Call the callback; without one hand the data on."""
        if self._callback is None:
            return None
        action: Action | None = call(self._callback, data, store, signal, context)
        return action
