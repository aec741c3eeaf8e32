"""One attempt of a task: its callbacks, its run, and what they mean."""

import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from lightflow.core.errors import AbortWorkflow, NoRetry, StopTask, TaskReturnActionInvalid
from lightflow.core.outcomes import Ending, ErrorInfo, Outcome
from lightflow.models.action import Action, limit_names
from lightflow.models.base_task import BaseTask, TaskStatus, options_of
from lightflow.models.calling import call
from lightflow.models.datastore import DataStoreDocument
from lightflow.models.signals import TaskSignal
from lightflow.models.task_context import TaskContext
from lightflow.models.task_data import MultiTaskData, TaskData, compose_output

MESSAGE_LIMIT = 10_000  # characters: an error lives in its task's document
TRACEBACK_LIMIT = 100_000

_PACKAGE = Path(__file__).parents[1]
_OURS = (str(_PACKAGE / "models"), str(_PACKAGE / "tasks"))


@dataclass(frozen=True, slots=True)
class _Ended:
    """How far an attempt came: an action, or what was raised."""

    status: TaskStatus
    action: Action | None = None
    error: BaseException | None = None


def run_attempt(
    task: BaseTask,
    data: MultiTaskData,
    store: DataStoreDocument,
    signal: TaskSignal,
    context: TaskContext,
    *,
    tell: Callable[[BaseException], object] | None = None,
) -> tuple[Outcome, TaskData | None]:
    """Run callback_init, run and callback_finally; the outcome, and the output of one that succeeded or stopped.

    Nothing that user code raises leaves this function; `tell` is given what an attempt aborted or failed with.
    A timeout is the caller's to raise.
    """
    surroundings = (data, store, signal, context)
    _place(task, context)
    ended = _run(task, surroundings)
    if task._callback_finally is not None:
        try:
            call(task._callback_finally, ended.status, *surroundings)
        except BaseException as error:
            ended = _graver(ended, _raised(error))
    try:
        settled = _settle(task, data, ended)
    except BaseException as error:  # merging runs the users' own dicts
        ended = _raised(error)
        settled = _settle(task, data, ended)
    if tell is not None and ended.error is not None and ended.status in (TaskStatus.Aborted, TaskStatus.Error):
        tell(ended.error)
    return settled


def _place(task: BaseTask, context: TaskContext) -> None:
    """Tell the task where it runs: task types of Lightflow 1 ask themselves rather than the context."""
    for name in ("workflow_name", "dag_name"):
        if getattr(type(task), name) is None and name not in vars(task):
            setattr(task, name, getattr(context, name))


_Surroundings = tuple[MultiTaskData, DataStoreDocument, TaskSignal, TaskContext]


def _run(task: BaseTask, surroundings: _Surroundings) -> _Ended:
    try:
        if task._callback_init is not None:
            call(task._callback_init, *surroundings)
        returned = call(task.run, *surroundings)
        return _Ended(TaskStatus.Success, _checked(task, returned, surroundings[0]))
    except BaseException as error:
        return _raised(error)


def _raised(error: BaseException) -> _Ended:
    if isinstance(error, StopTask):
        return _Ended(TaskStatus.Stopped, error=error)
    if isinstance(error, AbortWorkflow):
        return _Ended(TaskStatus.Aborted, error=error)
    return _Ended(TaskStatus.Error, error=error)


def _graver(first: _Ended, second: _Ended) -> _Ended:
    """What callback_finally raises counts when it is graver than what came before: an error is never made a stop."""
    return second if second.status.value > first.status.value else first


def _checked(task: BaseTask, returned: object, data: MultiTaskData) -> Action:
    if returned is None:
        return Action(data)
    if not isinstance(returned, Action):
        raise _NotAnAction(task.name, returned=f"an object of type {type(returned).__name__}")
    if isinstance(returned.data, TaskData):
        return Action(MultiTaskData(dataset=returned.data), returned.limit)
    if not isinstance(returned.data, MultiTaskData):
        raise _NotAnAction(task.name, returned=f"an Action whose data is a {type(returned.data).__name__}")
    return returned


class _NotAnAction(TaskReturnActionInvalid):
    """The check above speaking, and not user code that raises the same error: only the former is never retried."""


def _settle(task: BaseTask, data: MultiTaskData, ended: _Ended) -> tuple[Outcome, TaskData | None]:
    error = ended.error
    if ended.action is not None:
        limit = limit_names(ended.action.limit)
        return Outcome(Ending.SUCCEEDED, limit=limit), compose_output(task.name, ended.action.data)
    assert error is not None
    if isinstance(error, StopTask):
        limit = () if error.skip_successors else None
        return Outcome(Ending.STOPPED, _told(error), limit=limit), compose_output(task.name, data)
    if isinstance(error, AbortWorkflow):
        return Outcome(Ending.ABORTED, _told(error)), None
    return Outcome(Ending.ERROR, error_info(error), retryable=_retryable(task, error)), None


def _retryable(task: BaseTask, error: BaseException) -> bool:
    return not isinstance(error, NoRetry | _NotAnAction | KeyboardInterrupt) and options_of(task).retries_after(error)


def _told(error: BaseException) -> ErrorInfo | None:
    """What somebody who stops or aborts says about it; nothing when nothing was said."""
    return ErrorInfo(type(error).__name__, _text(error)) if _text(error) else None


def error_info(error: BaseException) -> ErrorInfo:
    """The error as the record keeps it; the traceback begins in the user's code."""
    shown = traceback.format_exception(type(error), error, _user_part(error.__traceback__))
    kind = "TaskReturnActionInvalid" if isinstance(error, _NotAnAction) else type(error).__name__
    return ErrorInfo(kind, _text(error), "".join(shown)[-TRACEBACK_LIMIT:])


def _user_part(frames: TracebackType | None) -> TracebackType | None:
    part = frames
    while part is not None and part.tb_frame.f_code.co_filename.startswith(_OURS):
        part = part.tb_next
    return part or frames


def _text(error: BaseException) -> str:
    try:
        return str(error)[:MESSAGE_LIMIT]
    except Exception as broken:
        return f"(its text cannot be had: {type(broken).__name__})"
