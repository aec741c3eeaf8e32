"""What a workflow means, in this process: the cases that hold the real system hold the runner too."""

import io
import sys
import threading
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.cases import CASES, Case
from tests.e2e.command_cases import COMMANDS, SHAPES
from tests.e2e.signal_cases import SIGNALS
from tests.e2e.support import write_workflow
from tests.e2e.value_cases import VALUES

from lightflow import local

HERE = [case for case in CASES + COMMANDS + SHAPES + SIGNALS + VALUES if not case.processes]


class ByTask(io.TextIOBase):
    """A stdout that knows who wrote what: the threads of attempts are named DAG:n/TASK."""

    def __init__(self) -> None:
        self.texts: dict[str, str] = defaultdict(str)

    def write(self, text: str) -> int:
        self.texts[threading.current_thread().name.partition("/")[2]] += text
        return len(text)


@pytest.mark.parametrize("case", HERE, ids=lambda case: case.name)
def test_a_workflow_ends_as_it_must(tmp_path: Path, monkeypatch: Any, case: Case) -> None:
    printed = ByTask()
    monkeypatch.setattr(sys, "stdout", printed)
    monkeypatch.setattr(sys, "stderr", printed)
    end = local.run(write_workflow(tmp_path, case.name[:40], case.body), **case.arguments)
    tasks = [task for dag_run in end.dag_runs.values() for task in dag_run.tasks.values()]
    assert end.state == case.state, end.error
    assert {name: dict(_states(dag_run)) for name, dag_run in end.dag_runs.items()} == case.tasks
    assert {name: dag_run.state for name, dag_run in end.dag_runs.items()} == case.states_of_dags
    assert {task: printed.texts[task].splitlines() for task in case.printed} == case.printed
    assert {task.name: len(task.attempts) for task in tasks if len(task.attempts) > 1} == case.attempts
    assert (end.error is None) == (case.error is None)
    if case.error is not None and end.error is not None:
        assert case.error[0] in ("", end.error.type)
        assert case.error[1] in end.error.message


def _states(dag_run: Any) -> Any:
    return ((task.name, task.state) for task in dag_run.tasks.values())
