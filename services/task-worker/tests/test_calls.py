"""What tasks ask of the control service while it is away: the call is repeated until it is answered."""

from types import SimpleNamespace

import pytest

from lightflow.core.errors import AttemptSuperseded, NoControlService, ServiceUnavailable
from lightflow_task_worker import calls
from lightflow_task_worker.attempt import Attempt
from lightflow_task_worker.calls import Calling, TaskCalls

TASK = {"_id": "run:main:1/0", "run": "run", "dag": "main:1", "task": "asks", "attempts": [{}]}
START = {"name": "part", "data": False, "call": 1}


class Control:
    """A control service that does not answer before all of these errors were raised."""

    def __init__(self, *errors):
        self.errors, self.requests = list(errors), []

    async def start_dag(self, run, dag, *, request_id, data):
        self.requests.append(request_id)
        if self.errors:
            raise self.errors.pop(0)
        return f"{dag}:1"


@pytest.fixture
def attempt():
    return Attempt(TASK, SimpleNamespace())


@pytest.fixture
def asking(monkeypatch, attempt):
    """The calls of the attempt, with a control service and a lease."""
    monkeypatch.setattr(calls, "PAUSE", 0.0)
    return lambda control, holds=lambda: True: TaskCalls(attempt, Calling(None, control, None, None, holds))


async def test_a_call_is_repeated_under_one_id_for_as_long_as_no_control_service_answers(asking):
    control = Control(NoControlService(), NoControlService(), ServiceUnavailable("MongoDB"), NoControlService())
    header, _ = await asking(control).call("start_dag", START, b"")
    assert header == {"name": "part:1"}
    assert control.requests == ["run:main:1/0/1/1"] * 5


async def test_an_attempt_whose_call_is_refused_for_want_of_a_lease_has_no_outcome(asking, attempt):
    control, good = Control(*[NoControlService()] * 9), iter([True, True, False])
    with pytest.raises(AttemptSuperseded):
        await asking(control, lambda: next(good)).call("start_dag", START, b"")
    assert len(control.requests) == 2
    assert attempt.superseded, "the error that its code was told must not become the outcome of its task"
