"""Poison and floods: whatever is asked of the system, it answers, and no process needs more memory than it may."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.e2e.support import seen, write_workflow
from tests.limits.support import LONG, PATIENCE, Peaks, size

from lightflow.client import Client
from lightflow.local.stack import Stack

BOUND = 600.0
"""MB that a process may have, whatever there is to do."""

POISON = """
    import os, signal as signals

    def die(data, store, signal, context):
        os.kill(os.getpid(), signals.{signal})

    def wait(data, store, signal, context):
        import select

        select.select([signal.stop_descriptor()], [], [])

    main = Dag("main", schema={{PythonTask("poison", die): None, PythonTask("neighbour", wait): None}})
"""
WORK = """
    def nothing(data, store, signal, context):
        pass

    tasks = [PythonTask(f"task{{number}}", nothing) for number in range({count})]
"""
WIDE = (
    WORK
    + """
    main = Dag("main", schema=dict.fromkeys(tasks))
"""
)
TWO = (
    WORK
    + """
    main = Dag("main", schema={{tasks[0]: tasks[1]}})
"""
)
# What is skipped is not run: so the short form asks for graphs of full size.
DEEP = (
    WORK
    + """
    first = PythonTask("first", lambda data, store, signal, context: Action(data, limit={limit}))
    main = Dag("main", schema={{first: tasks[0], **dict(zip(tasks, tasks[1:]))}})
"""
)
FAN = (
    WORK
    + """
    first = PythonTask("first", lambda data, store, signal, context: Action(data, limit={limit}))
    last = PythonTask("last", nothing, force_run=True)
    main = Dag("main", schema={{first: tasks, **dict.fromkeys(tasks, last)}})
"""
)
LARGE = """
    def measure(data, store, signal, context):
        data["size"] = len(store.get("large"))

    main = Dag("main", schema={PythonTask("measure", measure): None})
"""


@pytest.fixture
def bounded(stack: Stack, capsys: pytest.CaptureFixture[str]) -> Iterator[None]:
    """Holds every process to its bound of memory while the test lasts."""
    peaks = Peaks()
    with peaks.watched(stack):
        yield
    if LONG:
        with capsys.disabled():
            print(f"\npeaks in MB: {peaks.found}")
    assert peaks.found
    assert peaks.above(BOUND) == {}


def test_a_task_that_always_kills_its_process_fails_after_three_deaths_and_its_neighbours_finish(
    client: Client, tmp_path: Path
) -> None:
    poisons = {
        name: client.start(write_workflow(tmp_path, "poison", POISON.format(signal=name)))
        for name in ("SIGKILL", "SIGSEGV")
    }
    beside = client.start(write_workflow(tmp_path, "beside", WIDE.format(count=20)))
    for name, run in poisons.items():
        end = seen(client, run)
        assert end.state == "failed"
        assert end.tasks["main:1"] == {"poison": "failed", "neighbour": "succeeded"}
        assert end.attempts["main:1"] == {"poison": 3, "neighbour": 1}
        assert end.error is not None
        assert name in end.error[1]
    end = seen(client, beside)
    assert end.state == "succeeded"
    assert set(end.attempts["main:1"].values()) == {1}


@pytest.mark.usefixtures("bounded")
def test_a_dag_of_very_many_tasks_comes_to_its_end(client: Client, tmp_path: Path) -> None:
    run = client.start(write_workflow(tmp_path, "wide", WIDE.format(count=size(1000, 100_000))))
    assert run.wait(PATIENCE) == "succeeded"


@pytest.mark.usefixtures("bounded")
def test_very_many_runs_at_once_come_to_their_end(client: Client, flows: Path) -> None:
    write_workflow(flows, "two", TWO.format(count=2))
    client._control.deploy_workflow("two")
    runs = [client.start("two") for _ in range(size(100, 5000))]
    for run in runs:
        assert run.wait(PATIENCE) == "succeeded"


@pytest.mark.usefixtures("bounded")
@pytest.mark.parametrize("limit", size(["[]"], ["[]", "None"]))
def test_a_dag_may_be_ten_thousand_tasks_deep(client: Client, tmp_path: Path, limit: str) -> None:
    run = client.start(write_workflow(tmp_path, "deep", DEEP.format(count=10_000, limit=limit)))
    assert run.wait(PATIENCE) == "succeeded"
    assert _states(client, run.id) == {"succeeded": 1, "skipped": 10_000} if limit == "[]" else {"succeeded": 10_001}


@pytest.mark.usefixtures("bounded")
@pytest.mark.parametrize("limit", size(["['task7']"], ["['task7']", "None"]))
def test_a_task_may_have_ten_thousand_successors(client: Client, tmp_path: Path, limit: str) -> None:
    run = client.start(write_workflow(tmp_path, "fan", FAN.format(count=10_000, limit=limit)))
    assert run.wait(PATIENCE) == "succeeded"
    few = {"succeeded": 3, "skipped": 9_999}
    assert _states(client, run.id) == few if limit != "None" else {"succeeded": 10_002}


@pytest.mark.usefixtures("bounded")
def test_an_argument_may_have_64_megabytes(client: Client, tmp_path: Path) -> None:
    run = client.start(write_workflow(tmp_path, "large", LARGE), large=os.urandom(64 << 20))
    assert run.wait(PATIENCE) == "succeeded"
    assert run.result("measure")["size"] == 64 << 20


def _states(client: Client, run_id: str) -> dict[str, int]:
    counts: dict[str, int] = {}
    for task in client._control.list_tasks(run_id):
        counts[task.state] = counts.get(task.state, 0) + 1
    return counts
