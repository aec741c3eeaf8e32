"""Every command of `lightflowctl`, as it is typed."""

import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.e2e.support import PATIENCE, Cli, states, write_workflow

from lightflow.client import Client, Run

RUN = {
    "run_id",
    "workflow",
    "version",
    "state",
    "arguments",
    "started_at",
    "finished_at",
    "duration",
    "error",
    "dags",
}
DAG = {"name", "state", "tasks"}
TASK = {
    "name",
    "state",
    "attempts",
    "worker",
    "queue",
    "started_at",
    "finished_at",
    "duration",
    "error",
}
ERROR = {"type", "message", "traceback", "task", "dag"}
NO_RUN = "0" * 24

HOLDS = """
    import select

    def hold(data, store, signal, context):
        print("holding")
        select.select([signal.stop_descriptor()], [], [])
        print("told to stop")

    def beside(data, store, signal, context):
        print("beside")

    main = Dag("main", schema={PythonTask("holds", hold): PythonTask("follows")})
    other = Dag("other", schema={PythonTask("beside", beside): None})
"""


@pytest.fixture
def held(client: Client, tmp_path: Path) -> Iterator[Run]:
    """A run whose task `holds` waits until it is told to stop."""
    run = client.start(write_workflow(tmp_path, "holding", HOLDS))
    assert next(line.text for line in run.logs("holds", follow=True)) == "holding"
    yield run
    if run.state not in ("stopped", "succeeded"):
        run.stop()
        run.wait(PATIENCE)


# Running and starting


def test_run_shows_the_prints_and_how_it_ended(cli: Cli) -> None:
    ended = cli("run", "simple")
    assert (ended.code, ended.err) == (0, "")
    assert ended.written["report"] == ["that is 70.7 degrees Fahrenheit"]
    assert "succeeded" in ended.out.splitlines()[-1]


def test_run_as_json_writes_one_document_and_nothing_else_on_stdout(cli: Cli) -> None:
    run = cli("run", "simple", "-o", "json").json
    assert set(run) == RUN
    assert all(set(dag) == DAG for dag in run["dags"])
    assert all(set(task) == TASK for dag in run["dags"] for task in dag["tasks"])
    assert (run["workflow"], run["state"], run["error"]) == ("simple", "succeeded", None)
    assert run["duration"] > 0


def test_a_failed_run_tells_where_it_failed(cli: Cli, workflow_file: Callable[..., Path]) -> None:
    body = """
    def divide(data, store, signal, context):
        return 1 / 0

    main = Dag("main", schema={PythonTask("divides", divide): None})
    """
    file = workflow_file("broken", body)
    shown, as_json = cli("run", file), cli("run", file, "-o", "json")
    assert (shown.code, as_json.code) == (1, 1)
    assert "Error in task 'divides' of main:1: ZeroDivisionError: division by zero" in shown.out
    assert "return 1 / 0" in shown.out
    assert "Traceback" not in shown.err
    assert set(as_json.json["error"]) == ERROR
    assert as_json.json["error"]["task"] == "divides"
    assert as_json.json["dags"][0]["tasks"][0]["error"]["type"] == "ZeroDivisionError"


def test_start_answers_with_the_id_at_once(cli: Cli, client: Client) -> None:
    started = cli("start", "simple")
    run_id = started.out.strip()
    assert (started.code, len(run_id)) == (0, 24)
    assert client.run(run_id).wait(PATIENCE) == "succeeded"


def test_start_as_json_is_the_document_of_the_run(cli: Cli, client: Client) -> None:
    started = cli("start", "parameters", "name=Ada", "times=2", "-o", "json").json
    assert set(started) == RUN
    assert started["arguments"] == {"name": "Ada", "times": 2, "loud": False}
    assert client.run(started["run_id"]).wait(PATIENCE) == "succeeded"


@pytest.mark.parametrize(("workflow", "code", "state"), [("simple", 0, "succeeded"), ("abort", 1, "aborted")])
def test_start_may_wait_for_the_end(cli: Cli, workflow: str, code: int, state: str) -> None:
    ended = cli("start", workflow, "--wait", "-o", "json")
    assert (ended.code, ended.json["state"]) == (code, state)


def test_a_run_goes_to_the_queue_that_is_asked_for(cli: Cli) -> None:
    assert cli("start", "simple", "--queue", "nightly", "--wait").code == 0


# Stopping


def test_stop_lets_running_tasks_end_and_starts_nothing_more(cli: Cli, held: Run) -> None:
    stopped = cli("stop", held.id)
    assert stopped.code == 0
    assert held.id in stopped.out
    assert held.wait(PATIENCE) == "stopped"
    assert states(cli("status", held.id, "-o", "json").json)["main:1"] == {"holds": "succeeded", "follows": "stopped"}


def test_stop_of_a_task_stops_its_dag_run_alone(cli: Cli, held: Run) -> None:
    assert cli("stop", held.id, "--task", "holds").code == 0
    assert held.wait(PATIENCE) == "succeeded"
    run = cli("status", held.id, "-o", "json").json
    assert {dag["name"]: dag["state"] for dag in run["dags"]} == {"main:1": "stopped", "other:1": "succeeded"}


def test_stop_says_when_a_run_had_ended_before(cli: Cli) -> None:
    run_id = cli("start", "simple", "--wait").out.split()[0]
    late = cli("stop", run_id)
    assert (late.code, late.err) == (0, "")
    assert "had ended before: succeeded" in late.out


def test_all_runs_are_stopped_after_a_question(cli: Cli, held: Run) -> None:
    assert cli("stop", typed="n\n").code == 1
    assert held.state == "running"
    answer = cli("stop", "--yes", "-o", "json")
    assert held.id in {run["run_id"] for run in answer.json}
    assert held.wait(PATIENCE) == "stopped"


def test_ctrl_c_asks_the_run_to_stop(cli: Cli, tmp_path: Path) -> None:
    file = write_workflow(tmp_path, "interrupted", HOLDS)
    with cli.begun("run", file) as run:
        assert run.stdout is not None
        while "holds | holding" not in run.stdout.readline():
            pass
        run.send_signal(signal.SIGINT)
        rest = run.stdout.read()
        assert run.wait(PATIENCE) == 1
    assert "holds | told to stop" in rest
    assert "stopped" in rest.splitlines()[-1]


# Looking


def test_status_lists_runs_by_state_workflow_and_time(cli: Cli) -> None:
    ended = cli("run", "abort", "-o", "json").json["run_id"]
    listed = cli("status", "--state", "aborted", "--workflow", "abort", "--since", "10m", "-o", "json").json
    assert all((set(run), run["state"], run["workflow"]) == (RUN, "aborted", "abort") for run in listed)
    assert ended in {run["run_id"] for run in listed}
    assert ended in cli("status", "--state", "aborted").out
    assert ended not in cli("status", "--state", "failed").out


def test_status_of_a_run_shows_its_tasks_by_any_unique_beginning_of_its_id(cli: Cli, held: Run) -> None:
    shown = cli("status", held.id[:20])
    assert shown.code == 0
    lines = [line.split()[:2] for line in shown.out.splitlines() if line.strip()]
    assert ["holds", "running"] in lines
    assert ["follows", "waiting"] in lines


def test_logs_are_kept_by_task(cli: Cli) -> None:
    run_id = cli("start", "simple", "--wait").out.split()[0]
    assert cli("logs", run_id).written == {
        "measure": ["measured 21.5 degrees"],
        "report": ["that is 70.7 degrees Fahrenheit"],
    }
    assert cli("logs", run_id, "--task", "measure").out == "measured 21.5 degrees\n"
    document = cli("logs", run_id, "--task", "measure", "-o", "json").json_lines
    assert [(line["task"], line["attempt"], line["text"]) for line in document] == [
        ("measure", 1, "measured 21.5 degrees")
    ]


def test_logs_can_be_followed_to_the_end(cli: Cli, held: Run) -> None:
    with cli.begun("logs", held.id, "--task", "holds", "-f") as logs:
        assert logs.stdout is not None
        assert logs.stdout.readline() == "holding\n"
        held.stop()
        assert logs.stdout.read() == "told to stop\n"
        assert logs.wait(PATIENCE) == 0


def test_watch_tells_what_happened_in_a_run_from_its_beginning(cli: Cli) -> None:
    run_id = cli("start", "simple", "--wait").out.split()[0]
    told = cli("watch", run_id, "-o", "json").json_lines
    assert {event["run_id"] for event in told} == {run_id}
    assert [
        (event["type"], event["name"], event["event"].rpartition("-")[2]) for event in told if event["type"] == "task"
    ] == [
        ("task", "measure", "started"),
        ("task", "measure", "succeeded"),
        ("task", "report", "started"),
        ("task", "report", "succeeded"),
    ]
    assert (told[0]["type"], told[-1]["type"], told[-1]["state"]) == ("workflow", "workflow", "succeeded")
    assert run_id in cli("watch", run_id).out


def test_monitor_is_a_table_in_a_terminal_until_ctrl_c(cli: Cli, client: Client) -> None:
    with cli.in_terminal("monitor") as (monitor, shown):
        shown("Ctrl-C ends this view")
        run = client.start("simple")
        shown(f"succeeded.*workflow.*simple.*{run.id[:8]}")
        monitor.send_signal(signal.SIGINT)
        assert monitor.wait(PATIENCE) == 0


def test_workers_of_all_services_are_listed(cli: Cli) -> None:
    listed = {worker["service"]: worker for worker in cli("workers", "-o", "json").json}
    assert set(listed) == {"scheduler", "dag-runner", "task-worker"}
    assert listed["task-worker"]["slots"] == 4
    assert set(listed["task-worker"]["queues"]) == {"task", "graphics"}
    assert [worker["service"] for worker in cli("workers", "--queue", "nightly", "-o", "json").json] == ["scheduler"]
    assert "graphics" in cli("workers").out


# Workflows


def test_show_draws_the_graph_and_the_parameters(cli: Cli) -> None:
    shown = cli("show", "parameters")
    assert shown.code == 0
    assert "greet" in shown.out
    document = cli("show", "multi_data", "-o", "json").json
    (graph,) = document["dags"]
    assert {edge["alias"] for edge in graph["edges"]} == {"first", "second", None}
    assert (graph["name"], graph["autostart"], graph["queue"]) == ("main", True, "dag")
    parameters = {option["name"]: option for option in cli("show", "parameters", "-o", "json").json["parameters"]}
    assert (parameters["name"]["required"], parameters["times"]["type"]) == (True, "int")


DEPLOYED = """
    def tell(data, store, signal, context):
        print("{text}")

    main = Dag("main", schema={{PythonTask("tells", tell): None}})
"""


def test_a_deployed_version_is_used_until_it_is_undeployed(cli: Cli, flows: Path) -> None:
    write_workflow(flows, "kept", DEPLOYED.format(text="as deployed"))
    assert cli("deploy", "kept").code == 0
    write_workflow(flows, "kept", DEPLOYED.format(text="as edited"))
    assert cli("run", "kept").written["tells"] == ["as deployed"]
    listed = {workflow["name"]: workflow for workflow in cli("list", "-o", "json").json}
    assert listed["kept"]["deployed"]
    assert not listed["simple"]["deployed"]
    assert cli("undeploy", "kept", "-o", "json").json == {"name": "kept", "deployed": False}
    assert cli("run", "kept").written["tells"] == ["as edited"]


# Data


def test_data_of_a_running_run_can_be_read_and_changed(cli: Cli, held: Run) -> None:
    for change in (
        ("set", "limits.upper", "20"),
        ("push", "names", '"Ada"'),
        ("extend", "names", '["Grace", "Edith"]'),
        ("set", "title", "All of May"),
    ):
        command, *rest = change
        assert cli("data", command, held.id, *rest).code == 0
    assert cli("data", "get", held.id, "limits.upper").out == "20\n"
    assert cli("data", "get", held.id, "title").out == "All of May\n"
    assert cli("data", "get", held.id, "names", "-o", "json").json == ["Ada", "Grace", "Edith"]
    assert cli("data", "get", held.id, "name", "--section", "meta").out == "holding\n"
    absent = cli("data", "get", held.id, "nothing")
    assert (absent.code, absent.out) == (1, "")
    assert "'nothing'" in absent.err
    no_list = cli("data", "push", held.id, "title", "more")
    assert no_list.code == 2
    assert "'title' is not a list" in no_list.err


def test_data_is_kept_only_where_that_was_asked_for(cli: Cli) -> None:
    kept = cli("start", "data_store", "--keep-data", "--wait").out.split()[0]
    gone_ = cli("start", "data_store", "--wait").out.split()[0]
    assert cli("data", "get", kept, "experiment.name").out == "tea\n"
    assert cli("data", "get", gone_, "experiment.name").code == 1
    assert cli("data", "set", kept, "experiment.name", "coffee").code == 1
