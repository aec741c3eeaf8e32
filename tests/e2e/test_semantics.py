"""What a workflow means, on the real system: each case of `cases` ends as it must."""

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.e2e.cases import CASES, Case
from tests.e2e.command_cases import COMMANDS, SHAPES
from tests.e2e.signal_cases import SIGNALS
from tests.e2e.support import seen
from tests.e2e.value_cases import VALUES

from lightflow.client import Client


@pytest.mark.parametrize("case", CASES + COMMANDS + SHAPES + SIGNALS + VALUES, ids=lambda case: case.name)
def test_a_workflow_ends_as_it_must(client: Client, workflow_file: Callable[..., Path], case: Case) -> None:
    end = seen(client, client.start(workflow_file(case.name[:40], case.body), **case.arguments))
    assert (end.state, end.tasks) == (case.state, case.tasks), end.error
    assert end.dags == case.states_of_dags
    assert {task: end.printed.get(task) for task in case.printed} == case.printed
    assert {name: n for tasks in end.attempts.values() for name, n in tasks.items() if n > 1} == case.attempts
    assert (end.error is None) == (case.error is None)
    if case.error is not None and end.error is not None:
        assert case.error[0] in ("", end.error[0])
        assert case.error[1] in end.error[1]


def test_a_limit_that_names_no_successor_warns_in_the_log_of_its_task(
    client: Client, workflow_file: Callable[..., Path]
) -> None:
    file = workflow_file(
        "warning",
        """
        first = PythonTask("first", lambda data, *_: Action(data, limit=["second", "nobody"]))
        main = Dag("main", schema={first: PythonTask("second")})
        """,
    )
    warnings = seen(client, client.start(file)).printed["first"]
    assert any("nobody" in line for line in warnings)


def test_a_failure_keeps_type_message_and_the_users_own_line(
    client: Client, workflow_file: Callable[..., Path]
) -> None:
    file = workflow_file(
        "broken",
        """
        def divide(data, store, signal, context):
            return 1 / 0

        main = Dag("main", schema={PythonTask("divides", divide): None})
        """,
    )
    run = client.start(file)
    run.wait(60)
    assert run.error is not None
    assert (run.error.type, run.error.message) == ("ZeroDivisionError", "division by zero")
    assert "return 1 / 0" in run.error.traceback
    assert "lightflow/models" not in run.error.traceback
