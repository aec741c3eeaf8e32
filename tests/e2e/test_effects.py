"""What commands do to the system, and what others see of it afterwards: versions, data, logs, a whole stack."""

import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.e2e.support import HEADER, PATIENCE, Cli, gone, written

from lightflow.local.stack import find

RUN = ["run_id", "workflow", "version", "state", "arguments", "started_at", "finished_at", "duration", "error", "dags"]
DAG = ["name", "state", "tasks"]
TASK = ["name", "state", "attempts", "worker", "queue", "started_at", "finished_at", "duration", "error"]
COMMANDS = [
    "up", "down", "ps", "run", "start", "stop", "status", "list", "deploy", "undeploy", "show", "watch", "logs", "data",
    "workers",
]  # fmt: skip

WAITS = """
    import select

    def wait(data, store, signal, context):
        print("ready", flush=True)
        select.select([signal.stop_descriptor()], [], [])
        print(store.get("number"), store.get("word"), store.get("list"), store.get("nested.deep"))

    main = Dag("main", schema={PythonTask("waits", wait): None})
"""
SAYS = HEADER + 'main = Dag("main", schema={{PythonTask("say", lambda *_: print("{word}")): None}})\n'


def first_line(cli: Cli, run_id: str) -> str:
    """The first line that a task of a run writes, once it does."""
    with cli.begun("logs", run_id, "--follow") as following:
        assert following.stdout is not None
        return following.stdout.readline().rstrip("\n")


def is_run(document: Any) -> bool:
    """Whether a document has exactly the keys of a run, in their order, all the way down."""
    return (
        list(document) == RUN
        and all(list(dag) == DAG for dag in document["dags"])
        and all(list(task) == TASK for dag in document["dags"] for task in dag["tasks"])
    )


def test_the_document_of_a_run_has_the_same_keys_wherever_it_is_written(cli: Cli) -> None:
    ran = cli("run", "decision", "number=4", "-o", "json").json
    assert is_run(ran)
    assert (ran["workflow"], ran["state"], ran["arguments"], ran["error"]) == (
        "decision",
        "succeeded",
        {"number": 4},
        None,
    )
    assert ran["started_at"] <= ran["finished_at"]
    assert 0 < ran["duration"] < PATIENCE
    tasks = {task["name"]: task for task in ran["dags"][0]["tasks"]}
    assert (tasks["odd"]["state"], tasks["odd"]["attempts"], tasks["odd"]["started_at"]) == ("skipped", 0, None)
    assert (tasks["even"]["attempts"], tasks["even"]["queue"]) == (1, "task")
    assert cli("status", ran["run_id"], "-o", "json").json == ran
    started = cli("start", "simple", "-o", "json").json
    assert is_run(started)
    assert is_run(cli("start", "simple", "--wait", "-o", "json").json)
    listed = cli("status", "--workflow", "simple", "-o", "json").json
    assert all(is_run(run) for run in listed)
    assert started["run_id"] in {run["run_id"] for run in listed}


def read_until(process: "subprocess.Popen[str]", text: str) -> list[str]:
    """The lines up to one that holds the text."""
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line)
        if text in line:
            return lines
    raise AssertionError(f"{text!r} was not said: {lines}")


def test_list_and_show_tell_what_there_is(cli: Cli) -> None:
    assert "a task decides which of its successors run" in cli("list").out.lower()
    shown = cli("show", "decision", "-o", "json").json
    assert (shown["name"], shown["deployed"]) == ("decision", False)
    assert shown["parameters"] == [
        {"name": "number", "type": "int", "required": False, "default": "7", "help": "the number to look at"}
    ]
    (dag,) = shown["dags"]
    assert [task["name"] for task in dag["tasks"]] == ["look", "odd", "even", "done"]
    assert {(edge["parent"], edge["child"]) for edge in dag["edges"]} == {
        ("look", "odd"), ("look", "even"), ("odd", "done"), ("even", "done"),
    }  # fmt: skip
    drawn = cli("show", "decision").out
    assert all(word in drawn for word in ("look", "└─ done", "number", "int"))


def test_a_deployed_file_can_be_started_by_its_name(cli: Cli) -> None:
    (cli.folder / "sent.py").write_text(SAYS.format(word="sent"))
    assert cli("deploy", "sent.py").code == 0
    assert cli("run", "sent").written == {"say": ["sent"]}
    assert {"sent"} <= {workflow["name"] for workflow in cli("list", "-o", "json").json if workflow["deployed"]}
    assert cli("undeploy", "sent").code == 0
    assert cli("run", "sent").code == 2


def test_watch_without_a_run_tells_what_happens_from_now_on(cli: Cli) -> None:
    with cli.begun("watch", "--since", "1m") as watching:
        run_id = cli("run", "simple", "-o", "json").json["run_id"]
        read_until(watching, f"{run_id}  run     simple  succeeded")
        watching.send_signal(signal.SIGINT)
        assert watching.wait(PATIENCE) == 0


def test_logs_are_kept_by_task_and_attempt(cli: Cli, workflow_file: Callable[..., Path]) -> None:
    file = workflow_file(
        "talks",
        r"""
        import os, subprocess, sys

        def talk(data, store, signal, context):
            print("printed")
            print("on stderr", file=sys.stderr)
            subprocess.run(["echo", "by a subprocess"])
            os.write(1, b"not utf-8: \xff, no end of line")
            if context.attempt == 1:
                raise ValueError

        main = Dag("main", schema={PythonTask("talks", talk, retries=1): None})
        """,
    )
    ran = cli("run", file, "-o", "json")
    said = ["printed", "on stderr", "by a subprocess", "not utf-8: \ufffd, no end of line"]
    assert (ran.code, sorted(ran.written["talks"])) == (0, sorted(said * 2))
    run_id = ran.json["run_id"]
    assert sorted(cli("logs", run_id, "--task", "talks").out.splitlines()) == sorted(said * 2)
    lines = cli("logs", run_id, "-o", "json").json_lines
    assert {(line["dag"], line["task"], line["attempt"]) for line in lines} == {("main:1", "talks", n) for n in (1, 2)}
    assert sorted(line["text"] for line in lines if line["attempt"] == 2) == sorted(said)
    assert written(cli("logs", run_id, "--follow").out.splitlines()) == ran.written


def test_data_of_a_run_can_be_read_and_changed_while_it_goes(cli: Cli, workflow_file: Callable[..., Path]) -> None:
    run_id = cli("start", workflow_file("waits", WAITS), "--keep-data", "given=1").out.strip()
    assert first_line(cli, run_id) == "waits | ready"
    for arguments in (
        ("set", run_id, "number", "20"),
        ("set", run_id, "word", "hello"),
        ("set", run_id, "nested.deep", '{"a": [1]}'),
        ("push", run_id, "list", '"Ada"'),
        ("extend", run_id, "list", '["Grace", 3]'),
        ("set", run_id, "note", "mine", "--section", "meta"),
    ):
        changed = cli("data", *arguments)
        assert (changed.code, changed.out) == (0, ""), changed.err
    assert cli("stop", run_id).code == 0
    assert cli("watch", run_id).code == 0
    assert cli("logs", run_id).written["waits"][-1] == "20 hello ['Ada', 'Grace', 3] {'a': [1]}"
    assert cli("data", "get", run_id, "list", "-o", "json").json == ["Ada", "Grace", 3]
    assert cli("data", "get", run_id, "word").out == "hello\n"
    assert cli("data", "get", run_id, "given").out == "1\n"
    assert cli("data", "get", run_id, "note", "--section", "meta").out == "mine\n"
    assert "waits" in cli("data", "get", run_id, "log.main:1.tasks", "--section", "meta").out
    absent = cli("data", "get", run_id, "nosuch")
    assert (absent.code, absent.out) == (1, "")
    assert "'nosuch'" in absent.err
    no_list = cli("data", "extend", run_id, "list", "3")
    assert (no_list.code, "no list" in no_list.err) == (2, True)


def test_a_run_waits_for_a_scheduler_that_serves_its_queue_and_can_be_stopped_meanwhile(cli: Cli) -> None:
    run_id = cli("start", "simple", "--queue", "nobody").out.strip()
    assert cli("status", run_id, "-o", "json").json["state"] == "pending"
    assert cli("stop", run_id).code == 0
    assert cli("watch", run_id).code == 0
    assert cli("status", run_id, "-o", "json").json["state"] == "stopped"


def test_up_ps_run_and_down_are_all_it_takes(tmp_path: Path) -> None:
    cli = Cli(tmp_path / "data", tmp_path)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "tea.py").write_text(SAYS.format(word="tea"))
    up = cli("up", "--detach", "--workflows", "mine", "--task-slots", "1", "--replicas", "task-worker=2",
             "--queue", "task-worker=high", "--queue", "dag-runner=high")  # fmt: skip
    try:
        assert (up.code, "lightflowctl" in up.out) == (0, True)
        info = find(cli.data_dir)
        assert info is not None
        workers = cli("workers", "-o", "json").json
        assert sorted((w["service"], w["queues"], w["slots"]) for w in workers if w["service"] != "scheduler") == [
            ("dag-runner", ["dag", "high"], 0),
            ("task-worker", ["task", "high"], 1),
            ("task-worker", ["task", "high"], 1),
        ]
        assert cli("run", "tea").written == {"say": ["tea"]}
        waiting = cli("start", "tea", "--queue", "nobodys").out.strip()
        assert "waits for a scheduler of queue nobodys" in cli("status", waiting).out
        second = cli("up", "--detach")
        assert (second.code, "lightflowctl down" in second.err) == (2, True)
        assert [line.split()[0] for line in cli("ps").out.splitlines()] == [
            "SERVICE", "redis", "mongod", "scheduler", "dag-runner", "task-worker", "task-worker-2",
        ]  # fmt: skip
    finally:
        down = cli("down")
    assert (down.code, "1 run was going on" in down.err) == (0, True)
    assert gone([info.pid, *(process.pid for process in info.processes if process.pid)], within=10.0)
    assert not Path(info.sockets).exists()
    assert cli("ps").code == 3


NEEDS_A_SYSTEM = [
    ("ps",), ("start", "simple"), ("stop",), ("status",), ("status", "65f1a0"), ("list",), ("deploy", "simple"),
    ("undeploy", "simple"), ("show", "simple"), ("watch",), ("logs", "65f1a0"), ("data", "get", "65f1a0", "key"),
    ("workers",),
]  # fmt: skip


def test_help_of_every_command_says_what_it_does(cli: Cli) -> None:
    overview = cli("--help").out
    for command in COMMANDS:
        assert f"  {command} " in overview
        shown = cli(command, "--help")
        assert (shown.code, "Usage: lightflowctl " + command in shown.out) == (0, True)
    assert cli("--version").code == 0
