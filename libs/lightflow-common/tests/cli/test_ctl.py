import json
import os
import signal
import subprocess
import sys
import threading
from importlib import import_module
from pathlib import Path
from typing import Any

import bson
import pytest

from lightflow.cli.lightflowctl import SECTIONS
from lightflow.control.v1 import control_pb2 as pb
from lightflow.core.errors import LightflowException, NoWorkerAvailable, RunFinished, WorkflowArgumentError

RUN_ID = "65f1a0c3d2e4b5a697887766"
OTHER_ID = "70aabbccddeeff0011223344"
COMMANDS = [(name, *entry) for section in SECTIONS.values() for name, entry in section.items()]
TASK_KEYS = ["name", "state", "attempts", "worker", "queue", "started_at", "finished_at", "duration", "error"]
RUN_KEYS = [
    "run_id", "workflow", "version", "state", "arguments", "started_at", "finished_at", "duration", "error", "dags",
]  # fmt: skip


def piece(text: bytes, task: str = "first", dag: str = "main:1", attempt: int = 1) -> pb.StreamLogsResponse:
    return pb.StreamLogsResponse(task=task, dag=dag, attempt=attempt, text=text)


def test_help_lists_every_command(ctl: Any) -> None:
    said = ctl("--help")
    assert said.exit_code == 0
    assert all(f"  {name} " in said.output for name, _, _ in COMMANDS)


def test_help_imports_neither_grpc_nor_rich() -> None:
    code = "import sys; from lightflow.cli.lightflowctl import main\ntry: main(['--help'])\nexcept SystemExit: pass\n"
    code += "print([n for n in ('grpc', 'rich', 'pymongo', 'google', 'ruamel', 'asyncio') if n in sys.modules])"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize(("name", "module", "text"), COMMANDS)
def test_the_table_of_commands_says_what_each_command_says_of_itself(name: str, module: str, text: str) -> None:
    command = import_module(module).command
    assert command.name == name
    assert command.help.strip().split(".")[0].split(":")[0] in text or text.rstrip(".") in " ".join(
        command.help.split()
    )


def test_an_unknown_command_is_answered_with_the_nearest(ctl: Any) -> None:
    said = ctl("statsu")
    assert (said.exit_code, "'status'" in said.output) == (2, True)


def test_without_a_system_the_exit_code_is_3_and_says_what_was_tried(ctl: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lightflow.runtime.rpc.targets.answers", lambda address: False)
    said = ctl("status")
    assert said.exit_code == 3
    assert "lightflowctl up" in said.stderr
    assert "127.0.0.1:50051" in said.stderr
    assert said.stderr.count("\n") <= 2


def test_a_named_system_that_does_not_answer_is_exit_code_3(ctl: Any, folder: Path) -> None:
    said = ctl("--target", f"unix:{folder}/none.sock", "run", "simple")
    assert said.exit_code == 3
    assert "none.sock" in said.stderr


def test_status_lists_the_runs(ctl: Any, control: Any) -> None:
    control.runs[OTHER_ID] = control.make_run("failed", OTHER_ID, error=pb.Error(type="ValueError", message="no\nway"))
    said = ctl("status")
    assert said.exit_code == 0
    lines = said.output.splitlines()
    assert [word in lines[1] for word in (RUN_ID, "simple", "succeeded", "1.50 s")] == [True] * 4
    assert "ValueError: no way" in lines[2]


def test_status_filters_by_state_and_time(ctl: Any, control: Any) -> None:
    assert ctl("status", "--state", "failed", "--workflow", "simple", "--since", "2h").exit_code == 0
    request = control.requests(pb.ListRunsRequest)[0]
    assert (list(request.states), request.workflow, request.HasField("since")) == (["failed"], "simple", True)


def test_a_run_as_json_has_the_documented_keys(ctl: Any, control: Any) -> None:
    control.runs[RUN_ID].arguments.update({"days": 3, "rate": 0.5, "names": ["a"], "none": None})
    run = json.loads(ctl("status", RUN_ID[:6], "-o", "json").stdout)
    assert list(run) == RUN_KEYS
    assert run["arguments"] == {"days": 3, "rate": 0.5, "names": ["a"], "none": None}
    assert isinstance(run["arguments"]["days"], int)
    assert (run["started_at"], run["duration"], run["error"]) == ("2024-05-31T12:00:00.000Z", 1.5, None)
    assert [(dag["name"], dag["state"]) for dag in run["dags"]] == [("main:1", "succeeded")]
    task = run["dags"][0]["tasks"][0]
    assert list(task) == TASK_KEYS
    assert (task["name"], task["attempts"], task["finished_at"]) == ("first", 1, "2024-05-31T12:00:01.250Z")


def test_options_may_stand_before_and_after_the_command(ctl: Any, control: Any) -> None:
    before, after = ctl("-o", "json", "status"), ctl("status", "-o", "json")
    assert json.loads(before.stdout) == json.loads(after.stdout)


def test_status_of_a_run_says_what_a_queued_task_waits_for(ctl: Any, control: Any) -> None:
    waiting = control.make_task("late", "queued", waits_for="a worker of queue gpu")
    control.runs[RUN_ID] = control.make_run("running", RUN_ID, control.make_task("first"), waiting)
    said = ctl("status", RUN_ID)
    assert "waits for a worker of queue gpu" in said.output


def test_status_of_a_run_says_which_queues_nobody_serves(ctl: Any, control: Any) -> None:
    run = control.make_run("running", RUN_ID, waits_for="a scheduler of queue nightly")
    run.dags.append(pb.DagRun(name="main:1", state="pending", waits_for="a dag-runner of queue slow"))
    control.runs[RUN_ID] = run
    said = ctl("status", RUN_ID).output
    assert "waits for a scheduler of queue nightly" in said
    assert "main:1  pending  waits for a dag-runner of queue slow" in said
    assert "waits for a scheduler of queue nightly" in ctl("status").output


def test_run_tells_after_a_while_what_it_waits_for(ctl: Any, control: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lightflow.cli.follow.SILENCE", 0.01)
    control.runs[RUN_ID] = control.make_run("pending", RUN_ID, waits_for="a scheduler of queue nightly")
    control.watched = [pb.WatchRunResponse(run=control.runs[RUN_ID])]

    class UntilTold(list[Any]):
        def append(self, request: Any) -> None:
            super().append(request)
            if isinstance(request, pb.GetRunRequest) and len(control.requests(pb.GetRunRequest)) == 2:
                control.runs[RUN_ID] = control.make_run("succeeded")
                control.changes.put(None)

    control.asked = UntilTold()
    assert ctl("run", "simple").stdout.count("The run waits for a scheduler of queue nightly") == 1


def test_a_command_that_asks_names_the_option_where_nobody_can_answer(ctl: Any, control: Any) -> None:
    control.runs = {RUN_ID: control.make_run("running")}
    said = ctl("stop")
    assert (said.exit_code, "--yes" in said.stderr, control.requests(pb.StopRunRequest)) == (2, True, [])
    assert f"Stop run {RUN_ID} of simple?" in said.stderr


def test_errors_are_red_unless_colours_are_unwanted(ctl: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert ctl("start", color=True).stderr.startswith("\x1b[31mError:")
    assert ctl("start", "--no-color", color=True).stderr.startswith("Error:")
    monkeypatch.setenv("NO_COLOR", "1")
    assert ctl("start", color=True).stderr.startswith("Error:")


def test_a_group_alone_shows_its_help(ctl: Any) -> None:
    for words in ((), ("data",)):
        said = ctl(*words)
        assert (said.exit_code, said.stdout.startswith("Usage:"), said.stderr) == (0, True, "")


def test_an_unknown_run_is_answered_with_the_nearest(ctl: Any, control: Any) -> None:
    said = ctl("status", RUN_ID[:-1] + "0")
    assert said.exit_code == 2
    assert f"Did you mean {RUN_ID}?" in said.stderr


def test_the_name_of_a_workflow_instead_of_a_run_is_answered_with_its_runs(ctl: Any, control: Any) -> None:
    said = ctl("logs", "simple")
    assert said.exit_code == 2
    assert f"Runs of workflow simple: {RUN_ID}" in said.stderr
    assert said.stderr.count("\n") == 2


def test_start_prints_the_run_id_and_nothing_else(ctl: Any, control: Any) -> None:
    said = ctl("start", "simple", "days=3", "title=All of May", "-q", "fast", "--keep-data")
    assert (said.exit_code, said.output) == (0, f"{RUN_ID}\n")
    request = control.requests(pb.StartRunRequest)[0]
    assert {argument.name: argument.text for argument in request.arguments} == {"days": "3", "title": "All of May"}
    assert (request.name, request.queue, request.keep_data, bool(request.key)) == ("simple", "fast", True, True)


def test_an_argument_that_is_nearly_called_as_an_option_is_told_of(ctl: Any, control: Any) -> None:
    control.options = {"times", "name"}
    control.runs[RUN_ID].arguments.update({"times": 1, "name": "Ada", "tims": "3", "colour": "red"})
    said = ctl("start", "simple", "name=Ada", "tims=3", "colour=red")
    assert (said.exit_code, said.stdout) == (0, f"{RUN_ID}\n")
    assert said.stderr == "Note: 'tims' is no option of simple and is stored as given; was 'times' meant?\n"


def test_start_as_json_is_a_run(ctl: Any, control: Any) -> None:
    assert list(json.loads(ctl("start", "simple", "-o", "json").stdout)) == RUN_KEYS


def test_start_wait_ends_with_the_state_of_the_run(ctl: Any, control: Any) -> None:
    assert ctl("start", "simple", "--wait").exit_code == 0
    control.runs[RUN_ID].state = "aborted"
    said = ctl("start", "simple", "--wait", "-o", "json")
    assert (said.exit_code, json.loads(said.stdout)["state"]) == (1, "aborted")


def test_a_file_is_uploaded_with_the_helpers_beside_it(ctl: Any, control: Any, folder: Path) -> None:
    (folder / "flow.py").write_text("import helper\n")
    (folder / "helper.py").write_text("")
    assert ctl("start", "flow.py").exit_code == 0
    assert control.requests(pb.UploadWorkflowRequest)[0].name == "flow"
    assert control.requests(pb.StartRunRequest)[0].upload == "handle"


@pytest.mark.parametrize("words", [["start", "nope.py"], ["start", "simple", "days"], ["start"], ["status", "--foo"]])
def test_wrong_usage_is_exit_code_2_and_asks_nobody(ctl: Any, control: Any, words: list[str]) -> None:
    said = ctl(*words)
    assert (said.exit_code, control.asked) == (2, [])
    assert "Traceback" not in said.output


def test_an_unknown_workflow_is_answered_with_the_nearest(ctl: Any, control: Any, folder: Path) -> None:
    said = ctl("start", "simpel")
    assert said.exit_code == 2
    assert "did you mean 'simple'" in said.stderr
    (folder / "mine.py").write_text("")
    assert "write mine.py" in ctl("start", "mine").stderr


@pytest.mark.parametrize(
    ("error", "code"),
    [(WorkflowArgumentError("Option 'days' is missing"), 2), (NoWorkerAvailable("load it"), 3),
     (LightflowException("odd"), 1)],
)  # fmt: skip
def test_what_the_service_refuses_is_one_line(ctl: Any, control: Any, error: LightflowException, code: int) -> None:
    control.failure = error
    said = ctl("start", "simple")
    assert (said.exit_code, said.stdout, said.stderr) == (code, "", f"Error: {error}\n")


def test_run_prints_what_tasks_write_and_a_summary(ctl: Any, control: Any) -> None:
    control.pieces = [piece(b"Hel"), piece(b"lo\nand"), piece(b"other\n", "second"), piece(b" bye")]
    said = ctl("run", "simple")
    assert said.exit_code == 0
    assert "first | Hello\n" in said.output
    assert "second | other\n" in said.output
    assert "first | and bye\n" in said.output
    assert "first succeeded after 0.25 s" in said.output
    assert f"Run {RUN_ID} of simple succeeded after 1.50 s." in said.output.splitlines()[-1]


def test_run_as_json_prints_the_run_alone_on_stdout(ctl: Any, control: Any) -> None:
    control.pieces = [piece(b"Hello\n")]
    said = ctl("run", "simple", "-o", "json")
    assert json.loads(said.stdout)["run_id"] == RUN_ID
    assert "first | Hello" in said.stderr


def test_a_failed_run_ends_with_exit_code_1_and_the_line_of_the_users_code(ctl: Any, control: Any) -> None:
    traceback = 'Traceback (most recent call last):\n  File "/home/me/flow.py", line 12, in work\n    1 / 0\n'
    error = pb.Error(
        type="ZeroDivisionError", message="division by zero", traceback=traceback, task="bad", dag="main:1"
    )
    bad = control.make_task("bad", "failed", attempts=2, error=error)
    control.runs[RUN_ID] = control.make_run("failed", RUN_ID, control.make_task("first"), bad, error=error)
    said = ctl("run", "simple")
    assert said.exit_code == 1
    assert "Error in task 'bad' of main:1: ZeroDivisionError: division by zero" in said.output
    assert "/home/me/flow.py:12 in work: 1 / 0" in said.output
    assert "Traceback" not in said.output


def test_a_log_stream_that_is_cut_goes_on_without_repeating_itself(ctl: Any, control: Any) -> None:
    control.pieces = [piece(b"one\ntw"), piece(b"o\n")]
    control.outages["StreamLogs"] = 1
    said = ctl("logs", RUN_ID)
    assert (said.exit_code, said.output) == (0, "first | one\nfirst | two\n")


def test_ctrl_c_stops_the_run_and_a_second_one_kills_it(ctl: Any, control: Any) -> None:
    running = control.make_run("running", RUN_ID, control.make_task("first", "running", attempts=1))
    control.runs[RUN_ID] = running
    control.watched = [pb.WatchRunResponse(run=running)]
    told: list[bool] = []

    def on_stop(request: pb.StopRunRequest) -> None:
        told.append(request.now)
        if not request.now:
            os.kill(os.getpid(), signal.SIGINT)
            return
        stopped = control.make_run("stopped", RUN_ID, control.make_task("first", "stopped", attempts=1))
        control.runs[RUN_ID] = stopped
        control.changes.put(pb.WatchRunResponse(run=stopped, changed=stopped.dags[0].tasks))
        control.changes.put(None)

    control.on_stop = on_stop
    interrupt_when(control, pb.WatchRunRequest)
    said = ctl("run", "simple")
    assert (told, said.exit_code) == ([False, True], 1)
    assert "was stopped" in said.output


def interrupt_when(control: Any, kind: type) -> None:
    """Press Ctrl-C once the service was asked this."""

    class Asked(list[Any]):
        def append(self, request: Any) -> None:
            super().append(request)
            if isinstance(request, kind):
                threading.Timer(0.0, os.kill, (os.getpid(), signal.SIGINT)).start()

    control.asked = Asked()


def test_logs_of_one_task_are_bare(ctl: Any, control: Any) -> None:
    control.pieces = [piece(b"one\n"), piece(b"two\n", "second")]
    assert ctl("logs", RUN_ID, "--task", "second").output == "two\n"
    assert json.loads(ctl("logs", RUN_ID, "-t", "second", "-o", "json").output) == {
        "dag": "main:1", "task": "second", "attempt": 1, "text": "two",
    }  # fmt: skip


def test_names_that_several_tasks_have_are_told_apart_by_their_dag_run(ctl: Any, control: Any) -> None:
    run = control.make_run("succeeded", RUN_ID, control.make_task("same"))
    run.dags.append(pb.DagRun(name="sub:1", state="succeeded", tasks=[control.make_task("same", dag="sub:1")]))
    control.runs[RUN_ID] = run
    control.pieces = [piece(b"x\n", "same", "sub:1")]
    assert ctl("logs", RUN_ID).output == "sub:1/same | x\n"


def test_stop_names_each_run(ctl: Any, control: Any) -> None:
    said = ctl("stop", RUN_ID[:8], "--now")
    assert (said.exit_code, said.output) == (0, f"Run {RUN_ID} of simple is stopping.\n")
    assert control.requests(pb.StopRunRequest)[0].now


def test_stop_without_a_run_asks_before_it_stops_all(ctl: Any, control: Any) -> None:
    control.runs = {RUN_ID: control.make_run("running"), OTHER_ID: control.make_run("succeeded", OTHER_ID)}
    assert ctl("stop", input="n\n").exit_code == 1
    assert control.requests(pb.StopRunRequest) == []
    assert ctl("stop", "--yes").exit_code == 0
    assert [request.run_id for request in control.requests(pb.StopRunRequest)] == [RUN_ID]


def test_stopping_a_run_that_has_ended_says_so(ctl: Any, control: Any) -> None:
    def on_stop(request: pb.StopRunRequest) -> None:
        raise RunFinished(RUN_ID, "succeeded")

    control.on_stop = on_stop
    said = ctl("stop", RUN_ID)
    assert (said.exit_code, f"Run {RUN_ID} is succeeded" in said.stderr) == (1, True)


def test_stop_task_stops_the_dag_run_that_the_task_is_in(ctl: Any, control: Any) -> None:
    said = ctl("stop", RUN_ID, "--task", "second")
    assert said.exit_code == 0
    assert control.requests(pb.StopDagRequest)[0].name == "main:1"
    assert ctl("stop", "--task", "second").exit_code == 2
    unknown = ctl("stop", RUN_ID, "--task", "secnd")
    assert (unknown.exit_code, "did you mean 'second'" in unknown.stderr) == (2, True)


def test_list_gives_the_first_line_of_each_docstring(ctl: Any, control: Any) -> None:
    control.workflows["broken"] = pb.Workflow(name="broken", error="line 3: invalid syntax")
    said = ctl("list").output
    assert "simple    One task after another." in said
    assert "broken    line 3: invalid syntax" in said
    assert [workflow["name"] for workflow in json.loads(ctl("list", "-o", "json").stdout)] == ["simple", "broken"]


def test_show_draws_parameters_and_graph(ctl: Any, control: Any) -> None:
    dag = pb.Graph(name="main", autostart=True, queue="dag")
    dag.tasks.extend(pb.GraphTask(name=name, type="PythonTask", queue="task") for name in "abcd")
    for parent, child, alias in (("a", "b", ""), ("a", "c", ""), ("b", "d", "left"), ("c", "d", "")):
        dag.edges.add(parent=parent, child=child, alias=alias)
    option = pb.Option(name="days", type="int", required=True, help="How many")
    control.workflows["simple"] = pb.Workflow(name="simple", version="c0ffee" * 10, parameters=[option], dags=[dag])
    said = ctl("show", "simple").output
    lines = [line.rstrip() for line in said.replace("  PythonTask", "").splitlines()]
    tree = ["  a", "  ├─ b", "  │  └─ [left] d", "  └─ c", "     └─ d"]
    assert lines[lines.index("  a") :] == tree
    assert "days       int   (required)  How many" in said
    document = json.loads(ctl("show", "simple", "-o", "json").stdout)
    assert document["dags"][0]["edges"][2] == {"parent": "b", "child": "d", "alias": "left"}


def test_deploy_names_the_version(ctl: Any, control: Any) -> None:
    assert ctl("deploy", "simple").output == "Deployed simple, version c0ffeec0ffee.\n"
    assert ctl("undeploy", "simple").output == "simple is no longer deployed.\n"


def test_watch_of_a_run_ends_with_the_run(ctl: Any, control: Any) -> None:
    for number, (kind, event, state) in enumerate(
        [("workflow", "started", "running"), ("task", "succeeded", "succeeded"), ("workflow", "succeeded", "succeeded")]
    ):
        told = pb.Event(
            id=str(number), type=kind, event=f"task-lightflow-{event}", state=state, name="x", run_id=RUN_ID
        )
        control.events += [control.stamp(told, time=number), told]  # told twice, printed once
    said = ctl("watch", RUN_ID, "-o", "json")
    assert [json.loads(line)["state"] for line in said.stdout.splitlines()] == ["running", "succeeded", "succeeded"]
    assert len(ctl("watch", RUN_ID).output.splitlines()) == 3


def test_data_get_prints_a_value(ctl: Any, control: Any) -> None:
    control.data = {"name": bson.encode({"v": "Ada"}), "all": bson.encode({"v": {"a": [1, 2]}})}
    assert ctl("data", "get", RUN_ID, "name").output == "Ada\n"
    assert ctl("data", "get", RUN_ID, "name", "-o", "json").output == '"Ada"\n'
    assert json.loads(ctl("data", "get", RUN_ID, "all").output) == {"a": [1, 2]}
    missing = ctl("data", "get", RUN_ID, "nothing")
    assert (missing.exit_code, "There is nothing under 'nothing'" in missing.stderr) == (1, True)


@pytest.mark.parametrize(
    ("state", "keep_data", "section", "told"),
    [("succeeded", False, "data", True), ("succeeded", True, "data", False), ("running", False, "data", False),
     ("succeeded", False, "meta", False)],
)  # fmt: skip
def test_data_that_went_with_the_end_of_its_run_is_said_to_be_gone(
    ctl: Any, control: Any, state: str, keep_data: bool, section: str, told: bool
) -> None:
    control.runs[RUN_ID].state, control.runs[RUN_ID].keep_data = state, keep_data
    assert ("--keep-data" in ctl("data", "get", RUN_ID, "x", "--section", section).stderr) is told


def test_an_unknown_run_is_refused_with_one_remedy(ctl: Any, control: Any) -> None:
    assert ctl("logs", "0000").stderr.count("lists the runs") == 1
    assert ctl("logs", "zzzz").stderr.count("lists the runs") == 1


def test_data_set_takes_json_and_else_a_string(ctl: Any, control: Any) -> None:
    assert ctl("data", "set", RUN_ID, "a.b", "[1, 2]").exit_code == 0
    assert ctl("data", "set", RUN_ID, "a.c", "hello", "--section", "meta").exit_code == 0
    first, second = control.requests(pb.SetDataRequest)
    assert (first.chunk, second.chunk, second.key.section) == (b"[1, 2]", b'"hello"', "meta")
    assert first.encoding == pb.Value.ENCODING_JSON


def test_data_extend_wants_a_list(ctl: Any, control: Any) -> None:
    assert ctl("data", "extend", RUN_ID, "a", "3").exit_code == 2
    assert ctl("data", "extend", RUN_ID, "a", "[3]").exit_code == 0


def test_workers_are_listed_with_their_queues(ctl: Any, control: Any) -> None:
    worker = pb.Worker(id="i", service="task-worker", name="w1", pid=7, queues=["task", "gpu"], slots=2)
    control.workers = [control.stamp(worker, started_at=0)]
    assert "task-worker  w1    7    task,gpu  0/2" in ctl("workers").output
    assert json.loads(ctl("workers", "-o", "json").stdout)[0]["queues"] == ["task", "gpu"]


def test_an_unexpected_error_is_no_traceback(ctl: Any, control: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> str:
        raise ZeroDivisionError("oops")

    monkeypatch.setattr("lightflow.cli.render.runs.runs_table", broken)
    said = ctl("status")
    assert said.exit_code == 1
    assert said.stderr.startswith("Error: ZeroDivisionError: oops\n")
    assert said.stderr.count("\n") == 2
