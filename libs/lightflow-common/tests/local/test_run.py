"""Running workflows in this process: what a test of a workflow relies on."""

import pickle
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lightflow.core.errors import (
    AbortWorkflow,
    AttemptSuperseded,
    LightflowException,
    ResultMissing,
    TaskAmbiguous,
    TaskTimeout,
    TaskUnknown,
    WorkflowArgumentError,
    WorkflowDefinitionError,
    WorkflowImportError,
    WorkflowUnknown,
)
from lightflow.local import alarm, run
from lightflow.models import Dag, Option, Workflow
from lightflow.tasks import PythonTask

HEADER = "from lightflow.models import *\nfrom lightflow.tasks import *\n"


def dag(*callbacks: Callable[..., Any], **options: Any) -> Dag:
    """A DAG whose tasks run one after the other, named like their functions."""
    tasks = [PythonTask(callback.__name__, callback, **options) for callback in callbacks]
    return Dag("main", schema=dict(zip(tasks, [*tasks[1:], None], strict=True)))


def test_a_dag_runs_and_shows_states_data_and_store() -> None:
    def one(data: Any, store: Any, signal: Any, context: Any) -> None:
        data["x"] = 1
        store.set("seen.by", context.task_name)

    def two(data: Any, store: Any, signal: Any, context: Any) -> None:
        data["x"] += 1

    result = run(dag(one, two))
    assert result.state == "succeeded"
    assert result.states == {"one": "succeeded", "two": "succeeded"}
    assert [result.data(name)["x"] for name in ("one", "two")] == [1, 2]
    assert result.data("two").task_history == ["one", "two"]
    assert result.store.get("seen.by") == "one"
    assert result.error is None


def test_a_file_runs_by_its_path_and_by_its_name(tmp_path: Path, monkeypatch: Any) -> None:
    file = tmp_path / "by_name.py"
    file.write_text(HEADER + 'd = Dag("main", schema={PythonTask("t"): None})\n')
    monkeypatch.chdir(tmp_path)
    assert [run(way).state for way in (file, str(file), "by_name.py", "by_name")] == ["succeeded"] * 4
    assert "by_name" not in sys.modules


def test_start_arguments_are_converted_and_lie_in_the_store() -> None:
    options = [Option("days", type=int), Option("place", default="here")]
    workflow = Workflow.from_dags("flow", [dag(lambda *_: None)], parameters=options)
    result = run(workflow, days="3", **{"more.nested": [1]})
    assert [result.store.get(key) for key in ("days", "place", "more.nested")] == [3, "here", [1]]
    with pytest.raises(WorkflowArgumentError, match="days"):
        run(workflow)


@pytest.mark.parametrize(
    ("arguments", "told"), [({"a": 1, "a.b": 2}, "exclude each other"), ({"$a": 1}, r"'\$a'"), ({"": 1}, "empty")]
)
def test_arguments_that_the_store_cannot_hold_are_refused(arguments: dict[str, int], told: str) -> None:
    with pytest.raises(WorkflowArgumentError, match=told):
        run(dag(lambda *_: None), **arguments)


def test_a_dag_that_is_none_is_a_definition_error() -> None:
    unchecked, first, second = Dag("unchecked"), PythonTask("first"), PythonTask("second")
    unchecked.define({first: second, second: first}, validate=False)
    for wrong, told in ((Dag("undefined"), "has no schema"), (unchecked, "second -> first -> second")):
        with pytest.raises(WorkflowDefinitionError, match=told) as raised:
            run(wrong)
        assert raised.value.graph_name == wrong.name


def test_a_workflow_with_arguments_of_its_own_starts_with_them() -> None:
    workflow = Workflow.from_dags("flow", [dag(lambda *_: None)], parameters=[Option("n", type=int)])
    workflow.provided_arguments["n"] = 4
    assert run(workflow).store.get("n") == 4
    assert run(workflow, n=5).store.get("n") == 5


def test_what_is_no_workflow_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WorkflowUnknown):
        run("there_is_no_such_workflow")
    with pytest.raises(WorkflowImportError, match="no workflow file"):
        run(tmp_path / "none.py")
    with pytest.raises(LightflowException, match="not a list"):
        run([])  # type: ignore[arg-type]


def test_why_a_task_fails_is_logged_as_it_happens(caplog: pytest.LogCaptureFixture) -> None:
    def fail(*_: Any) -> None:
        raise KeyError("mine")

    run(dag(fail, retries=1, retry_delay=60), sleep=lambda seconds: None)
    again, failed = caplog.messages
    assert again == "task main:1/fail is tried again in 60 s: KeyError: 'mine'"
    assert failed.startswith("task main:1/fail failed: KeyError: 'mine'\nTraceback")
    assert 'raise KeyError("mine")' in failed


def test_raise_errors_raises_the_exception_of_the_task_itself() -> None:
    error = KeyError("mine")

    def fail(*_: Any) -> None:
        raise error

    def abort(*_: Any) -> None:
        raise AbortWorkflow("enough")

    result = run(dag(fail))
    assert (result.state, result.exception) == ("failed", error)
    assert result.error is not None
    assert result.error.type == "KeyError"
    with pytest.raises(KeyError) as raised:
        run(dag(fail), raise_errors=True)
    assert raised.value is error
    with pytest.raises(AbortWorkflow, match="enough"):
        run(dag(abort), raise_errors=True)


def test_delays_before_retries_are_waited_for_by_the_sleep_that_is_given() -> None:
    slept: list[float] = []

    def third_time(data: Any, store: Any, signal: Any, context: Any) -> None:
        if context.attempt < 3:
            raise ValueError(f"attempt {context.attempt}")

    result = run(dag(third_time, retries=2, retry_delay=600, retry_backoff=2), sleep=slept.append)
    assert slept == [600, 1200]
    assert result.state == "succeeded"
    attempts = result.task("third_time").attempts
    assert [attempt.error and attempt.error.message for attempt in attempts] == ["attempt 1", "attempt 2", None]


def test_a_run_does_not_wait_for_a_retry_that_a_stop_overtakes() -> None:
    waiting, release = threading.Event(), threading.Event()

    def sleep(seconds: float) -> None:
        waiting.set()
        release.wait(60)

    def fail(*_: Any) -> None:
        raise ValueError

    def stop(data: Any, store: Any, signal: Any, context: Any) -> None:
        waiting.wait(60)
        signal.stop_workflow()

    tasks = PythonTask("fail", fail, retries=1, retry_delay=9), PythonTask("stop", stop)
    result = run(Dag("main", schema=dict.fromkeys(tasks)), sleep=sleep)
    release.set()
    assert result.state == "stopped"
    assert result.states == {"fail": "stopped", "stop": "succeeded"}


def test_a_sequence_runs_in_the_thread_of_the_caller() -> None:
    threads = []

    def one(*_: Any) -> None:
        threads.append(threading.get_ident())

    def two(*_: Any) -> None:
        threads.append(threading.get_ident())

    run(dag(one, two))
    assert threads == [threading.get_ident()] * 2


def test_tasks_side_by_side_run_at_the_same_time() -> None:
    meeting = threading.Barrier(8, timeout=30)

    def meet(*_: Any) -> None:
        meeting.wait()

    tasks = [PythonTask(f"t{number}", meet) for number in range(8)]
    assert run(Dag("main", schema=dict.fromkeys(tasks)), raise_errors=True).state == "succeeded"


def test_a_task_that_changes_itself_begins_each_attempt_as_it_was_defined() -> None:
    class Counting(PythonTask):
        count = 0

        def run(self, data: Any, store: Any, signal: Any, context: Any) -> None:
            self.count += 1
            store.push("counts", self.count)
            if context.attempt == 1:
                raise ValueError

    result = run(Dag("main", schema={Counting("t", retries=1): None}))
    assert result.store.get("counts") == [1, 1]


def test_an_output_that_cannot_be_sent_fails_its_task() -> None:
    def task(data: Any, store: Any, signal: Any, context: Any) -> None:
        data["lock"] = threading.Lock()

    result = run(dag(task))
    assert result.error is not None
    assert result.error.type == "OutputUnpicklable"
    assert "'task'" in result.error.message


def test_a_dag_that_does_not_start_by_itself_starts_when_it_is_what_is_run() -> None:
    sub = Dag("sub", autostart=False, schema={PythonTask("t"): None})
    assert run(sub).states == {"t": "succeeded"}
    assert not sub.autostart


def test_tasks_are_found_by_name_and_by_dag_run() -> None:
    def start(data: Any, store: Any, signal: Any, context: Any) -> None:
        started = [signal.start_dag("sub", data={"n": number}) for number in range(3)]
        signal.join_dags(started)

    sub = Dag("sub", autostart=False, schema={PythonTask("t"): None})
    result = run(Workflow.from_dags("flow", [dag(start), sub]))
    assert [result.data(f"sub:{number}/t")["n"] for number in (1, 2, 3)] == [0, 1, 2]
    assert result.states["sub:2/t"] == "succeeded"
    with pytest.raises(TaskAmbiguous, match="sub:1/t"):
        result.task("t")
    with pytest.raises(TaskUnknown, match="did you mean 'start'"):
        result.data("star")


def test_what_did_not_run_has_no_data() -> None:
    def fail(*_: Any) -> None:
        raise ValueError("not today")

    def after(*_: Any) -> None:
        pass

    result = run(dag(fail, after))
    with pytest.raises(ResultMissing, match=r"it is stopped, in a run that is failed \(ValueError: not today\)"):
        result.data("after")


def test_the_meta_section_holds_the_log_while_the_run_goes_on() -> None:
    def first(*_: Any) -> None:
        pass

    def second(data: Any, store: Any, signal: Any, context: Any) -> None:
        log = store.get(f"log.{context.dag_name}", section="meta")
        data["tasks"] = {name: "duration" in entry for name, entry in log["tasks"].items()}
        data["name"] = store.get("name", section="meta")

    data = run(dag(first, second), raise_errors=True).data("second")
    assert data.data == {"tasks": {"first": True, "second": False}, "name": "main"}


def test_helper_modules_are_new_in_each_run_and_may_be_patched_by_who_imported_them_before(
    tmp_path: Path, monkeypatch: Any
) -> None:
    folders = [tmp_path / name for name in ("a", "b")]
    for folder in folders:
        folder.mkdir()
        (folder / "own_helper.py").write_text(f"class Thing:\n    name = {folder.name!r}\n")
        (folder / "flow.py").write_text(
            HEADER + "import own_helper\n"
            "def make(data, *_):\n    data['thing'] = own_helper.Thing()\n"
            "d = Dag('main', schema={PythonTask('t', make): None})\n"
        )
    results = [run(folder / "flow.py") for folder in folders]
    assert [result.data("t")["thing"].name for result in results] == ["a", "b"]
    assert "own_helper" not in sys.modules
    monkeypatch.syspath_prepend(str(folders[0]))
    import own_helper  # type: ignore[import-not-found]

    monkeypatch.setattr(own_helper.Thing, "name", "patched")
    assert run(folders[0] / "flow.py").data("t")["thing"].name == "patched"
    assert sys.modules.pop("own_helper") is own_helper


def test_a_timeout_interrupts_what_the_callers_thread_waits_in() -> None:
    heard = []

    def slow(*_: Any) -> None:
        time.sleep(60)

    result = run(dag(slow, timeout=0.05, callback_finally=lambda status, *_: heard.append(status.name)))
    assert result.error is not None
    assert (result.error.type, result.error.message) == ("TaskTimeout", "Task 'slow' exceeded its timeout of 0.05 s")
    assert heard == ["Error"]


def until_stopped(data: Any, store: Any, signal: Any, context: Any) -> None:
    while not signal.is_stopped:
        pass


def test_a_timeout_ends_a_loop_in_another_thread() -> None:
    def loop(*_: Any) -> None:
        assert threading.current_thread() is not threading.main_thread()
        while True:
            pass

    tasks = PythonTask("other", until_stopped, timeout=30), PythonTask("loop", loop, timeout=0.1)
    result = run(Dag("main", schema=dict.fromkeys(tasks)))
    assert result.states == {"other": "succeeded", "loop": "failed"}
    assert isinstance(result.exception, TaskTimeout)
    copy = pickle.loads(pickle.dumps(result.exception))
    assert (type(copy), copy.task, copy.seconds) == (TaskTimeout, "loop", 0.1)


@pytest.mark.parametrize("caller", ["join", "other"])
def test_a_timeout_ends_a_join_in_any_thread(caller: str) -> None:
    def join(data: Any, store: Any, signal: Any, context: Any) -> None:
        assert (threading.current_thread() is threading.main_thread()) == (caller == "join")
        signal.join_dags(["endless:1"])

    tasks = {"join": PythonTask("join", join, timeout=0.1), "other": PythonTask("other", timeout=30)}
    dags = [Dag(name, schema={tasks[name]: None}) for name in sorted(tasks, key=lambda name: name != caller)]
    endless = Dag("endless", schema={PythonTask("endless", until_stopped): None})
    result = run(Workflow.from_dags("flow", [*dags, endless]))
    assert isinstance(result.exception, TaskTimeout)
    assert {name: dag_run.state for name, dag_run in result.dag_runs.items()} == {
        "join:1": "failed",
        "other:1": "succeeded",
        "endless:1": "failed",
    }


def test_an_attempt_that_does_not_come_back_is_given_up(monkeypatch: Any) -> None:
    monkeypatch.setattr(alarm, "GRACE", 0.1)
    release, refused = threading.Event(), threading.Event()

    def deaf(data: Any, store: Any, signal: Any, context: Any) -> None:
        while not release.is_set():
            try:
                release.wait(60)
            except TaskTimeout:
                continue
        try:
            store.set("late", True)
        except AttemptSuperseded:
            refused.set()

    tasks = PythonTask("other", until_stopped, timeout=30), PythonTask("deaf", deaf, timeout=0.1)
    result = run(Dag("main", schema=dict.fromkeys(tasks)))
    assert isinstance(result.task("deaf").exception, TaskTimeout)
    release.set()
    assert refused.wait(30)
    assert result.store.get("late") is None


def test_an_interrupt_from_the_keyboard_leaves_the_run() -> None:
    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(dag(interrupted))
