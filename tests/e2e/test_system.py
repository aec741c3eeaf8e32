"""One small system from `up` to `down`: much work on one slot, ends by force, and what is said where there is none."""

import signal
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.e2e.support import PATIENCE, Cli, gone, states, write_workflow

from lightflow.client import Client, Run

SHORT_GRACE = "engine:\n  stop_grace: 0.5\n"

TWO_TASKS = """
    def double(data, store, signal, context):
        data["value"] = 2 * data["value"] if "value" in data else 1

    main = Dag("main", schema={PythonTask("one", double): PythonTask("two", double)})
"""

FIVE_DAGS = """
    def spread(data, store, signal, context):
        signal.join_dags([signal.start_dag("part", data={"part": part}) for part in range(5)])
        print(sorted(store.get("parts")))

    def part(data, store, signal, context):
        store.push("parts", data["part"])

    main = Dag("main", schema={PythonTask("spread", spread): None})
    part_dag = Dag("part", autostart=False, schema={PythonTask("part", part): None})
"""

STUBBORN = """
    import threading

    def ignore(data, store, signal, context):
        print("ignoring everything")
        threading.Event().wait()

    main = Dag("main", schema={PythonTask("stubborn", ignore): PythonTask("follows")})
"""
HOLDING = "stubborn | ignoring everything\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a person works: a configuration, and a folder with workflows."""
    folder = tmp_path_factory.mktemp("work")
    flows = folder / "workflows"
    flows.mkdir()
    (folder / "lightflow.cfg").write_text(SHORT_GRACE)
    for name, body in {"two_tasks": TWO_TASKS, "five_dags": FIVE_DAGS, "stubborn": STUBBORN}.items():
        write_workflow(flows, name, body)
    return folder


@pytest.fixture(scope="module")
def cli(folder: Path) -> Iterator[Cli]:
    """The command line in that folder, after `up` with one slot; `down` ends what is up."""
    cli = Cli(folder / ".lightflow", folder)
    up = cli("up", "--detach", "--task-slots", "1")
    assert up.code == 0, up.err
    yield cli
    pids = [process["pid"] for process in cli("ps", "-o", "json").json]
    down = cli("down")
    assert down.code == 0, down.err
    assert gone(pids, within=0.0)
    assert cli("ps").code == 3


@pytest.fixture
def client(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    monkeypatch.setenv("LIGHTFLOW_DATA_DIR", str(cli.data_dir))
    with Client() as connected:
        yield connected


def processes(cli: Cli) -> dict[str, int]:
    """The processes of the system, and how often each was restarted."""
    return {process["service"]: process["restarts"] for process in cli("ps", "-o", "json").json}


def test_hundreds_of_runs_and_a_task_that_joins_end_on_one_slot(cli: Cli, client: Client) -> None:
    assert cli("deploy", "two_tasks").code == 0  # a load for each of them would be most of the work
    before = processes(cli)
    with ThreadPoolExecutor(20) as many:
        runs = list(many.map(lambda _: client.start("two_tasks"), range(200)))
        joining = client.start("five_dags")
        assert set(many.map(lambda run: run.wait(PATIENCE), runs)) == {"succeeded"}
    assert joining.wait(PATIENCE) == "succeeded"
    assert [line.text for line in joining.logs()] == ["[0, 1, 2, 3, 4]"]
    assert {run.result("two")["value"] for run in runs} == {2}
    assert processes(cli) == before == dict.fromkeys(before, 0)


def begun(client: Client) -> Run:
    """A run whose task does not listen."""
    run = client.start("stubborn")
    assert next(run.logs(follow=True)).text == "ignoring everything"
    return run


def test_stop_now_kills_what_does_not_stop(cli: Cli, client: Client) -> None:
    run = begun(client)
    assert cli("stop", run.id).code == 0
    assert run.state == "stopping"
    assert cli("stop", run.id, "--now").code == 0
    assert run.wait(PATIENCE) == "stopped"
    ended = cli("status", run.id, "-o", "json").json
    assert states(ended) == {"main:1": {"stubborn": "stopped", "follows": "stopped"}}


def test_a_second_ctrl_c_kills_what_does_not_stop(cli: Cli) -> None:
    with cli.begun("run", "stubborn") as run:
        assert run.stdout is not None
        while run.stdout.readline() != HOLDING:
            pass
        run.send_signal(signal.SIGINT)
        while "Stopping" not in run.stdout.readline():
            pass
        run.send_signal(signal.SIGINT)
        rest = run.stdout.read()
        assert run.wait(PATIENCE) == 1
    assert "Killing" in rest
    assert "stubborn stopped" in rest


def test_a_task_that_is_killed_from_outside_runs_again(cli: Cli, client: Client, folder: Path) -> None:
    body = """
    import os

    def die_once(data, store, signal, context):
        if context.attempt == 1:
            os.kill(os.getpid(), 9)

    main = Dag("main", schema={PythonTask("dies", die_once): None})
    """
    ended = cli("run", write_workflow(folder, "dies_once", body), "-o", "json")
    assert ended.code == 0
    assert ended.json["dags"][0]["tasks"][0]["attempts"] == 2
    assert set(processes(cli).values()) == {0}


# Where there is no system


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[Cli]:
    """The command line in a folder without a system, where the usual places have none either."""
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        port = str(nobody.getsockname()[1])
        unusual = {"LIGHTFLOW_CONTROL_PORT": port, "LIGHTFLOW_STORE_URI": f"mongodb://127.0.0.1:{port}"}
        yield Cli(tmp_path / ".lightflow", tmp_path, unusual)


def test_run_brings_a_system_up_for_the_one_run_and_leaves_nothing(elsewhere: Cli) -> None:
    ended = elsewhere("run", "simple")
    assert ended.code == 0
    assert ended.err.startswith("No system is running: one is brought up for this run")
    assert ended.written["report"] == ["that is 70.7 degrees Fahrenheit"]
    assert list(elsewhere.folder.iterdir()) == []


@pytest.mark.parametrize("command", [["start", "simple"], ["status"], ["list"], ["workers"], ["stop", "0" * 24]])
def test_without_a_system_commands_say_what_to_do(elsewhere: Cli, command: list[str]) -> None:
    refused = elsewhere(*command)
    assert (refused.code, refused.out) == (3, "")
    assert "lightflowctl up" in refused.err
    assert len(refused.err.splitlines()) <= 2


def test_a_target_that_does_not_answer_is_named(elsewhere: Cli) -> None:
    absent = f"unix:{elsewhere.folder}/nobody.sock"
    for refused in (elsewhere("--target", absent, "list"), elsewhere("list", LIGHTFLOW_TARGET=absent)):
        assert (refused.code, refused.out) == (3, "")
        assert absent in refused.err


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        (["strat", "simple"], "start"),
        (["start"], "NAME|FILE"),
        (["start", "simple", "--quue", "x"], "--queue"),
        (["start", "simple", "no-equals-sign"], "no-equals-sign"),
        (["status", "--state", "done"], "succeeded"),
        (["status", "--since", "yesterdayish"], "yesterdayish"),
        (["data", "extend", "0" * 24, "key", "no list"], "JSON"),
        (["up", "--replicas", "worker=2"], "task-worker"),
        (["up", "--task-slots", "0"], "--task-slots"),
    ],
    ids=lambda value: value if isinstance(value, str) else " ".join(value),
)
def test_what_is_typed_wrongly_is_named_with_what_would_be_right(elsewhere: Cli, typed: list[str], told: str) -> None:
    refused = elsewhere(*typed)
    assert (refused.code, refused.out) == (2, "")
    assert told in refused.err
    assert "Traceback" not in refused.err
    assert not elsewhere.data_dir.exists()
