"""The base of all task types."""

import copy
from collections.abc import Callable
from enum import Enum, IntEnum
from typing import Any, Self

from lightflow.models.action import Action
from lightflow.models.datastore import DataStoreDocument
from lightflow.models.options import ErrorTypes, TaskOptions
from lightflow.models.signals import TaskSignal
from lightflow.models.task_context import TaskContext
from lightflow.models.task_data import MultiTaskData

Callback = Callable[..., Any]


class TaskStatus(IntEnum):
    """How an attempt ended, as `callback_finally` is told; also the numbers that Lightflow 1 told it."""

    Success = 1
    Stopped = 2
    Aborted = 3
    Error = 4

    __str__ = Enum.__str__  # a print says which, and not which number


class BaseTask:
    """A task: a name, and a `run` that subclasses implement. Every task type takes these arguments.

    - `name`: unique in its DAG.
    - `queue`: the queue from which workers take its attempts.
    - `callback_init`, `(data, store, signal, context)`: called before `run`.
    - `callback_finally`, `(status, data, store, signal, context)`: called after it, with a `TaskStatus`.
    - `force_run`: run even if no predecessor selects the task.
    - `propagate_skip`: whether skipping it speaks for skipping its successors.
    - `retries`: how many further attempts there may be.
    - `retry_delay`: seconds before the second attempt.
    - `retry_backoff`: what the delay is multiplied with for each attempt after that.
    - `retry_jitter`: the share by which a delay may grow at random; 0.5: by up to half.
    - `retry_on`: exception types that are retried; None retries all.
    - `timeout`: seconds that one attempt may take; TaskTimeout is raised in it then.

    Callbacks may be `async def`. Raises ValueError for an option that has no sense. While an attempt runs,
    `workflow_name` and `dag_name` say where, as the context does, unless a subclass has such attributes of its own.
    """

    # What a constructor may leave out is set on the class, so that subclasses need not know of it. The options live
    # under a mangled name, so that subclasses may use any name of their own.
    workflow_name: str | None = None
    dag_name: str | None = None
    _queue = "task"
    _callback_init: Callback | None = None
    _callback_finally: Callback | None = None
    _force_run = False
    _propagate_skip = True
    __options = TaskOptions()

    def __init__(
        self,
        name: str,
        *,
        queue: str = "task",
        callback_init: Callback | None = None,
        callback_finally: Callback | None = None,
        force_run: bool = False,
        propagate_skip: bool = True,
        retries: int = 0,
        retry_delay: float = 0.0,
        retry_backoff: float = 1.0,
        retry_jitter: float = 0.0,
        retry_on: ErrorTypes = None,
        timeout: float | None = None,
    ) -> None:
        self._name = name
        self._queue = queue
        self._callback_init = callback_init
        self._callback_finally = callback_finally
        self._force_run = force_run
        self._propagate_skip = propagate_skip
        self.__options = TaskOptions().changed(
            {
                "retries": retries,
                "retry_delay": retry_delay,
                "retry_backoff": retry_backoff,
                "retry_jitter": retry_jitter,
                "retry_on": retry_on,
                "timeout": timeout,
            }
        )

    @property
    def name(self) -> str:
        """The name of the task, unique in its DAG."""
        return self._name

    @property
    def queue(self) -> str:
        """The queue from which workers take its attempts."""
        return self._queue

    @property
    def has_to_run(self) -> bool:
        """Whether it runs even if no predecessor selects it."""
        return self._force_run

    @property
    def propagate_skip(self) -> bool:
        """Whether skipping it speaks for skipping its successors."""
        return self._propagate_skip

    def with_options(self, **options: Any) -> Self:
        """A copy with these options changed: retries, retry_delay, retry_backoff, retry_jitter, retry_on, timeout.

        For types whose constructor does not take them. Raises TypeError for an unknown name, ValueError for a wrong
        value.
        """
        task = copy.copy(self)
        task.__options = self.__options.changed(options)
        return task

    def options(self) -> TaskOptions:
        """The retries and the timeout of the task."""
        return self.__options

    def run(
        self, data: MultiTaskData, store: DataStoreDocument, signal: TaskSignal, context: TaskContext
    ) -> Action | None:
        """What the task does; subclasses implement it.

        None hands `data` on to all successors, an `Action` says which data and which successors. StopTask,
        AbortWorkflow and NoRetry have their meaning; any other exception fails the attempt. A task of this very type
        does nothing: branches may meet in it.
        """
        if type(self).run is BaseTask.run and type(self) is not BaseTask:
            raise NotImplementedError(f"{type(self).__name__} has no run(data, store, signal, context)")
        return None

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._name!r}>"


def options_of(task: BaseTask) -> TaskOptions:
    """The options of a task, also of one whose type has an attribute `options` of its own."""
    return BaseTask.options(task)
