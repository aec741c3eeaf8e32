"""How a task may end: what an attempt's outcome and output are."""

import asyncio
import pickle
from typing import Any

import pytest

from lightflow.core.errors import NoRetry, TaskTimeout
from lightflow.core.outcomes import Ending, Outcome
from lightflow.models import (
    AbortWorkflow,
    Action,
    BaseTask,
    DataStoreDocument,
    MultiTaskData,
    StopTask,
    TaskContext,
    TaskData,
    TaskSignal,
    TaskStatus,
)
from lightflow.models.attempt import run_attempt
from lightflow.models.task_data import as_input
from lightflow.tasks import PythonTask


class NoCalls:
    """Nobody to ask: these tasks ask for nothing."""

    def is_stopped(self) -> bool:
        return False


def attempt(task: BaseTask, data: MultiTaskData | None = None) -> tuple[Outcome, TaskData | None]:
    calls: Any = NoCalls()
    context = TaskContext(task.name, "main:1", "flow", "0" * 24, "host")
    return run_attempt(task, data or as_input(task.name, None), DataStoreDocument(calls), TaskSignal(calls), context)


def raising(error: BaseException, **options: Any) -> PythonTask:
    def callback(data: Any, store: Any, signal: Any, context: Any) -> None:
        data["seen"] = True
        raise error

    return PythonTask("t", callback, **options)


def returning(value: Any, **options: Any) -> PythonTask:
    return PythonTask("t", lambda data, store, signal, context: value, **options)


def test_a_task_that_returns_none_succeeds_and_hands_its_data_on() -> None:
    def callback(data: Any, store: Any, signal: Any, context: Any) -> None:
        data["x"] = 1

    outcome, output = attempt(PythonTask("t", callback))
    assert outcome == Outcome(Ending.SUCCEEDED)
    assert output is not None
    assert (output.data, output.task_history) == ({"x": 1}, ["t"])


def test_a_task_that_returns_an_action_hands_its_data_on() -> None:
    outcome, output = attempt(returning(Action(MultiTaskData(dataset=TaskData({"y": 2})))))
    assert outcome.limit is None
    assert output is not None
    assert output.data == {"y": 2}


def test_a_limit_may_hold_tasks_and_names() -> None:
    outcome, _ = attempt(returning(Action(MultiTaskData(), limit=[PythonTask("b"), "c"])))
    assert outcome.limit == ("b", "c")


def test_an_empty_limit_selects_nothing() -> None:
    assert attempt(returning(Action(MultiTaskData(), limit=[])))[0].limit == ()


def test_stop_task_stops_it_and_skips_its_successors_and_keeps_its_data() -> None:
    outcome, output = attempt(raising(StopTask("enough")))
    assert (outcome.ending, outcome.limit) == (Ending.STOPPED, ())
    assert output is not None
    assert (output.data, output.task_history) == ({"seen": True}, ["t"])


def test_stop_task_without_skipping_selects_all_successors() -> None:
    assert attempt(raising(StopTask(skip_successors=False)))[0].limit is None


def test_abort_workflow_aborts_it_without_output() -> None:
    outcome, output = attempt(raising(AbortWorkflow("no more")))
    assert outcome.ending is Ending.ABORTED
    assert outcome.error is not None
    assert outcome.error.message == "no more"
    assert output is None


def test_any_other_exception_is_an_error_with_type_message_and_traceback() -> None:
    outcome, output = attempt(raising(ValueError("bad value")))
    assert (outcome.ending, outcome.retryable, output) == (Ending.ERROR, True, None)
    assert outcome.error is not None
    assert (outcome.error.type, outcome.error.message) == ("ValueError", "bad value")
    assert "raise error" in outcome.error.traceback
    assert outcome.error.traceback.count("File ") == 1


@pytest.mark.parametrize("error", [SystemExit(3), asyncio.CancelledError(), TaskTimeout("t", 1.0)])
def test_what_is_no_ordinary_exception_is_an_error_too(error: BaseException) -> None:
    assert attempt(raising(error))[0].ending is Ending.ERROR


def test_no_retry_is_an_error_that_is_not_retried() -> None:
    assert not attempt(raising(NoRetry("hopeless"), retries=5))[0].retryable


def test_a_return_value_that_is_no_action_is_an_error_that_is_not_retried() -> None:
    outcome, output = attempt(returning(42, retries=5))
    assert (outcome.ending, outcome.retryable, output) == (Ending.ERROR, False, None)
    assert outcome.error is not None
    assert outcome.error.type == "TaskReturnActionInvalid"
    assert "'t' returned an object of type int" in outcome.error.message


def test_an_action_without_data_is_no_action() -> None:
    broken: Any = {"x": 1}
    outcome, _ = attempt(returning(Action(broken)))
    assert outcome.error is not None
    assert outcome.error.type == "TaskReturnActionInvalid"


def test_retry_on_names_the_exceptions_that_are_retried() -> None:
    assert attempt(raising(KeyError("k"), retries=1, retry_on=(LookupError,)))[0].retryable
    assert not attempt(raising(ValueError("v"), retries=1, retry_on=LookupError))[0].retryable


def test_an_error_without_a_text_does_not_hide_itself() -> None:
    class MuteError(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no text")

    error = attempt(raising(MuteError()))[0].error
    assert error is not None
    assert error.type == "MuteError"


@pytest.mark.parametrize(
    ("task", "status"),
    [
        (returning(None), TaskStatus.Success),
        (raising(StopTask()), TaskStatus.Stopped),
        (raising(AbortWorkflow()), TaskStatus.Aborted),
        (raising(ValueError()), TaskStatus.Error),
        (raising(TaskTimeout("t", 1.0)), TaskStatus.Error),
        (returning("nonsense"), TaskStatus.Error),
    ],
)
def test_callback_finally_always_runs_and_is_told_how_it_ended(task: PythonTask, status: TaskStatus) -> None:
    told = []
    task._callback_finally = lambda status, data, store, signal, context: told.append(status)
    attempt(task)
    assert told == [status]


def test_callback_init_runs_before_run_and_finally_after_it() -> None:
    order: list[str] = []
    task = PythonTask(
        "t",
        lambda *_: order.append("run"),
        callback_init=lambda *_: order.append("init"),
        callback_finally=lambda *_: order.append("finally"),
    )
    attempt(task)
    assert order == ["init", "run", "finally"]


@pytest.mark.parametrize(
    ("error", "ending"),
    [(StopTask(), Ending.STOPPED), (AbortWorkflow(), Ending.ABORTED), (ValueError(), Ending.ERROR)],
)
def test_what_callback_init_raises_acts_as_if_raised_in_run(error: BaseException, ending: Ending) -> None:
    ran: list[Any] = []

    def init(*_: Any) -> None:
        raise error

    outcome, _ = attempt(PythonTask("t", lambda *_: ran.append(1), callback_init=init))
    assert (outcome.ending, ran) == (ending, [])


@pytest.mark.parametrize(
    ("first", "then", "ending"),
    [
        (None, ValueError(), Ending.ERROR),
        (None, StopTask(), Ending.STOPPED),
        (StopTask(), AbortWorkflow(), Ending.ABORTED),
        (NoRetry(), StopTask(), Ending.ERROR),
        (AbortWorkflow(), StopTask(), Ending.ABORTED),
    ],
)
def test_of_run_and_callback_finally_the_graver_counts(
    first: BaseException | None, then: BaseException, ending: Ending
) -> None:
    def finish(*_: Any) -> None:
        raise then

    task = returning(None) if first is None else raising(first)
    task._callback_finally = finish
    assert attempt(task)[0].ending is ending


def test_what_callback_finally_changes_reaches_the_successors() -> None:
    def finish(status: Any, data: Any, store: Any, signal: Any, context: Any) -> None:
        data["cleaned"] = True

    output = attempt(PythonTask("t", lambda *_: None, callback_finally=finish))[1]
    assert output is not None
    assert output["cleaned"]


def test_callbacks_may_be_async() -> None:
    order: list[str] = []

    async def init(*_: Any) -> None:
        await asyncio.sleep(0)
        order.append("init")

    async def callback(data: Any, store: Any, signal: Any, context: Any) -> Action:
        await asyncio.sleep(0)
        order.append("run")
        return Action(data, limit=["b"])

    async def finish(status: TaskStatus, *_: Any) -> None:
        order.append(status.name)

    outcome, _ = attempt(PythonTask("t", callback, callback_init=init, callback_finally=finish))
    assert (order, outcome.limit) == (["init", "run", "Success"], ("b",))


async def test_async_callbacks_run_beside_a_running_event_loop() -> None:
    async def callback(data: Any, *_: Any) -> None:
        data["x"] = 1

    output = attempt(PythonTask("t", callback))[1]
    assert output is not None
    assert output["x"] == 1


class Shout(BaseTask):
    """A third-party task type of the old days: it knows nothing of retries."""

    def __init__(self, name: str, text: str, *, queue: str = "task") -> None:
        super().__init__(name, queue=queue)
        self.options = {"text": text}  # type: ignore[assignment]
        self.timeout = "its own"

    def run(self, data: Any, store: Any, signal: Any, context: Any) -> Action:
        data["text"] = self.options["text"].upper()  # type: ignore[index]
        return Action(data)


def test_a_third_party_task_takes_options_without_knowing_them() -> None:
    task = Shout("t", "hello")
    patient = task.with_options(retries=3, retry_on=KeyError)
    output = attempt(patient)[1]
    assert output is not None
    assert output["text"] == "HELLO"
    assert patient is not task
    assert type(patient) is Shout
    assert pickle.loads(pickle.dumps(patient)).timeout == "its own"


@pytest.mark.parametrize(
    "wrong", [{"retries": -1}, {"retries": 1.5}, {"timeout": 0}, {"retry_delay": "x"}, {"retry_on": [5]}]
)
def test_wrong_options_are_refused_at_once(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        PythonTask("t").with_options(**wrong)


def test_an_unknown_option_is_named_with_the_nearest_one() -> None:
    with pytest.raises(TypeError, match="did you mean 'retries'"):
        PythonTask("t").with_options(retrys=3)
