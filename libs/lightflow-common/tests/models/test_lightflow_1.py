"""What workflow files, task types and programs of Lightflow 1 lean on beyond the pages of the documentation."""

import json
from importlib import import_module
from typing import Any

import pytest

from lightflow.core.outcomes import Ending, Outcome
from lightflow.models import (
    BaseTask,
    DataStoreDocument,
    MultiTaskData,
    TaskContext,
    TaskData,
    TaskSignal,
    TaskStatus,
)
from lightflow.models.attempt import run_attempt

DATA = TaskData({"x": 1})


class NoCalls:
    """Nobody to ask: these tasks ask for nothing."""

    def is_stopped(self) -> bool:
        return False


def attempt(task: BaseTask) -> tuple[Outcome, TaskData | None]:
    calls: Any = NoCalls()
    context = TaskContext(task.name, "main:1", "flow", "0" * 24, "host")
    return run_attempt(task, MultiTaskData(dataset=DATA), DataStoreDocument(calls), TaskSignal(calls), context)


class Older(BaseTask):
    """A task type in the style of the original: it hands its call on, and asks itself where it runs."""

    def run(self, data: Any, store: Any, signal: Any, context: Any, **kwargs: Any) -> Any:
        data["where"] = (self.workflow_name, self.dag_name)
        return super().run(data, store, signal, context, **kwargs)


@pytest.mark.parametrize(
    ("module", "names"),
    [
        ("lightflow.version", "__version__"),
        ("lightflow.models.action", "Action"),
        ("lightflow.models.dag", "Dag"),
        ("lightflow.models.dag_signal", "DagSignal"),
        ("lightflow.models.datastore", "DataStore DataStoreDocument DataStoreDocumentSection"),
        ("lightflow.models.parameters", "Parameters Option"),
        ("lightflow.models.task", "BaseTask TaskStatus"),
        ("lightflow.models.task_context", "TaskContext"),
        ("lightflow.models.task_data", "TaskData MultiTaskData"),
        ("lightflow.models.task_parameters", "TaskParameters"),
        ("lightflow.models.task_signal", "TaskSignal"),
        ("lightflow.models.workflow", "Workflow"),
        ("lightflow.queue.models", "BrokerStats QueueStats WorkerStats JobStats JobEvent JobStartedEvent"),
        ("lightflow.queue.models", "JobSucceededEvent JobStoppedEvent JobAbortedEvent"),
        ("lightflow.tasks.bash_task", "BashTask"),
        ("lightflow.tasks.python_task", "PythonTask"),
    ],
)
def test_the_modules_of_the_original_still_hold_their_names(module: str, names: str) -> None:
    assert [name for name in names.split() if not hasattr(import_module(module), name)] == []


def test_a_status_is_the_number_that_it_was_and_prints_as_its_name() -> None:
    assert [int(status) for status in TaskStatus] == [1, 2, 3, 4]
    assert json.dumps({"status": TaskStatus.Error}) == '{"status": 4}'
    assert f"{TaskStatus.Error} {TaskStatus.Error!s}" == "TaskStatus.Error TaskStatus.Error"


def test_a_bare_task_is_where_branches_meet() -> None:
    outcome, output = attempt(BaseTask("meet"))
    assert outcome == Outcome(Ending.SUCCEEDED)
    assert output is not None
    assert output.data == {"x": 1}


def test_a_task_type_may_call_the_run_of_its_base_and_knows_where_it_runs() -> None:
    outcome, output = attempt(Older("t"))
    assert outcome.ending is Ending.SUCCEEDED
    assert output is not None
    assert output.data["where"] == ("flow", "main:1")


def test_a_task_type_without_a_run_of_its_own_is_told_so() -> None:
    class Forgetful(BaseTask):
        def ruun(self) -> None:
            pass

    error = attempt(Forgetful("t"))[0].error
    assert error is not None
    assert error.message == "Forgetful has no run(data, store, signal, context)"


def test_attributes_of_a_task_type_are_its_own() -> None:
    class Starts(Older):
        workflow_name = "mine"

        def __init__(self, name: str, dag_name: str) -> None:
            super().__init__(name)
            self.dag_name = dag_name

    _, output = attempt(Starts("t", "other"))
    assert output is not None
    assert output.data["where"] == ("mine", "other")
