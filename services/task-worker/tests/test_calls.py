"""What tasks ask of the control service while it is away: the call is repeated until it is answered."""

from types import SimpleNamespace

import pytest

from lightflow.core.errors import AttemptSuperseded, NoControlService, ServiceUnavailable
from lightflow_task_worker import calls
from lightflow_task_worker.calls import Calling, TaskCalls

TASK = {"_id": "run:main:1/0", "run": "run", "dag": "main:1", "task": "asks"}
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
def asking(monkeypatch):
    """The calls of an attempt, and what it is known by, with a control service and a lease."""
    monkeypatch.setattr(calls, "PAUSE", 0.0)
    attempt = SimpleNamespace(task=TASK, id=TASK["_id"], number=1, superseded=False)
    return lambda control, holds=lambda: True: TaskCalls(attempt, Calling(None, control, None, None, holds))


async def test_a_call_is_repeated_under_one_id_for_as_long_as_no_control_service_answers(asking):
    control = Control(NoControlService(), NoControlService(), ServiceUnavailable("MongoDB"), NoControlService())
    header, _ = await asking(control).call("start_dag", START, b"")
    assert header == {"name": "part:1"}
    assert control.requests == ["run:main:1/0/1/1"] * 5


async def test_a_call_is_given_up_once_the_lease_is_no_longer_good(asking):
    control, good = Control(*[NoControlService()] * 9), iter([True, True, False])
    with pytest.raises(AttemptSuperseded):
        await asking(control, lambda: next(good)).call("start_dag", START, b"")
    assert len(control.requests) == 2
