import json
from pathlib import Path
from typing import Any

import pytest

from lightflow import __version__
from lightflow.control.v1 import control_pb2 as pb

RUN_ID = "65f1a0c3d2e4b5a697887766"


def test_version_and_help(flow: Any) -> None:
    assert flow("--version").output == f"lightflow, version {__version__}\n"
    assert flow("-h").exit_code == 0


def test_config_default_writes_a_file_that_loads(flow: Any, folder: Path) -> None:
    assert flow("config", "default", ".").exit_code == 0
    assert flow("-c", "lightflow.cfg", "config", "list").exit_code == 0
    assert flow("config", "default", "mine.cfg").exit_code == 0
    assert (folder / "mine.cfg").read_text() == (folder / "lightflow.cfg").read_text()


def test_config_default_asks_before_it_overwrites(flow: Any, folder: Path) -> None:
    (folder / "lightflow.cfg").write_text("# mine\n")
    assert flow("config", "default", ".", input="n\n").exit_code == 1
    assert (folder / "lightflow.cfg").read_text() == "# mine\n"
    assert flow("config", "default", ".", input="y\n").exit_code == 0
    assert (folder / "lightflow.cfg").read_text() != "# mine\n"


def test_config_default_into_a_folder_that_is_missing_says_so(flow: Any) -> None:
    said = flow("config", "default", "no/where.cfg")
    assert (said.exit_code, "there is no folder no" in said.stderr) == (2, True)


def test_config_list_masks_passwords(flow: Any, folder: Path) -> None:
    (folder / "lightflow.cfg").write_text("store:\n  password: hidden1\nsignal:\n  uri: redis://u:hidden2@h/0\n")
    said = flow("config", "list").output
    assert "***" in said
    assert "hidden" not in said


def test_a_broken_configuration_is_exit_code_2_with_the_line(flow: Any, folder: Path) -> None:
    (folder / "lightflow.cfg").write_text("store:\n  host: [\n")
    said = flow("config", "list")
    assert (said.exit_code, "line" in said.stderr, "Traceback" in said.stderr) == (2, True, False)


@pytest.fixture
def shipped(folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Two example workflows."""
    (folder / "shipped").mkdir()
    files = [folder / "shipped" / name for name in ("one.py", "two.py")]
    for file in files:
        file.write_text('"""An example."""\n')
    monkeypatch.setattr("lightflow.cli.flow.config.example_files", lambda: files)
    return files


def test_config_examples_copies_into_a_folder_of_that_name(flow: Any, folder: Path, shipped: list[Path]) -> None:
    assert flow("config", "examples", ".").exit_code == 0
    assert sorted(file.name for file in (folder / "examples").iterdir()) == ["one.py", "two.py"]
    assert flow("config", "examples", "mine", "-u").exit_code == 0
    assert sorted(file.name for file in (folder / "mine").iterdir()) == ["one.py", "two.py"]


def test_config_examples_asks_before_it_overwrites(flow: Any, folder: Path, shipped: list[Path]) -> None:
    flow("config", "examples", ".")
    (folder / "examples" / "one.py").write_text("# mine\n")
    assert flow("config", "examples", ".", input="n\n").exit_code == 1
    assert (folder / "examples" / "one.py").read_text() == "# mine\n"


def test_workflow_list_needs_no_system_and_tells_what_does_not_load(flow: Any, folder: Path) -> None:
    assert "lightflow config examples" in flow("workflow", "list").output
    (folder / "examples").mkdir()
    (folder / "examples" / "broken.py").write_text("from lightflow.models import Dag\nimport missing_module")
    (folder / "examples" / "tutorial01.py").write_text(
        '""" Tutorial 1: a sequence of two tasks\n\nMore."""\n'
        "from lightflow.models import Dag\nfrom lightflow.tasks import PythonTask\n"
        "d = Dag('main_dag')\nd.define({PythonTask('first'): PythonTask('second')})\n"
    )
    broken, fine = flow("workflow", "list").output.splitlines()
    assert fine == "tutorial01      Tutorial 1: a sequence of two tasks"
    assert broken.startswith("broken          ModuleNotFoundError: No module named 'missing_module'")


def test_workflow_start_prints_the_id_and_what_to_type_next(flow: Any, control: Any) -> None:
    said = flow("workflow", "start", "-k", "simple", "a=1")
    assert said.stdout == f"{RUN_ID}\n"
    assert f"lightflowctl logs -f {RUN_ID[:8]}" in said.stderr
    request = control.requests(pb.StartRunRequest)[0]
    assert (request.keep_data, request.arguments[0].text) == (True, "1")


def test_workflow_stop_takes_the_name_of_a_workflow_and_asks(flow: Any, control: Any) -> None:
    control.runs = {RUN_ID: control.make_run("running")}
    assert flow("workflow", "stop", "simple", input="n\n").exit_code == 1
    assert control.requests(pb.StopRunRequest) == []
    assert flow("workflow", "stop", "simple", input="y\n").exit_code == 0
    assert [request.run_id for request in control.requests(pb.StopRunRequest)] == [RUN_ID]


def test_workflow_status_shows_what_goes_on(flow: Any, control: Any) -> None:
    assert flow("workflow", "status").output.startswith("No run is going on.")
    control.runs = {RUN_ID: control.make_run("running", RUN_ID, control.make_task("first", "running"))}
    assert RUN_ID in flow("workflow", "status").output
    assert "first" in flow("workflow", "status", "-d").output


def test_workflow_stop_names_what_goes_on_where_nothing_is_meant(flow: Any, control: Any) -> None:
    control.runs = {RUN_ID: control.make_run("running")}
    said = flow("workflow", "stop", "-y", "simpel")
    assert (said.exit_code, "did you mean 'simple'" in said.stderr) == (2, True)


def test_what_to_type_next_names_the_configuration(flow: Any, control: Any, folder: Path) -> None:
    (folder / "my own.cfg").write_text("")
    said = flow("-c", "my own.cfg", "workflow", "start", "simple")
    assert f"LIGHTFLOW_CONFIG='my own.cfg' lightflowctl logs -f {RUN_ID[:8]}" in said.stderr


def test_workflow_stop_takes_the_id_of_a_job(flow: Any, control: Any) -> None:
    control.runs = {RUN_ID: control.make_run("running")}
    assert flow("workflow", "stop", "-y", f"{RUN_ID}:main:1/0").exit_code == 0
    assert [request.run_id for request in control.requests(pb.StopRunRequest)] == [RUN_ID]


WORKERS = [
    pb.Worker(id="t", service="task-worker", name="w1@host", queues=["gpu", "task"], slots=2, broker="redis://h:1/0"),
    pb.Worker(id="s", service="scheduler", name="w1@host", queues=["workflow"], broker="redis://h:1/0"),
    pb.Worker(id="u", service="task-worker", name="w2@host", queues=["task"], slots=1, broker="redis://h:1/0"),
]


def test_worker_status_counts_what_was_started_as_one_as_one(flow: Any, control: Any) -> None:
    assert "lightflow worker start" in flow("worker", "status").output
    control.workers = WORKERS
    assert [line.split()[0] for line in flow("worker", "status").output.splitlines()] == [
        "WORKER",
        "w1@host",
        "w2@host",
    ]
    assert "w2@host" not in flow("worker", "status", "-f", "gpu, workflow").output
    assert flow("worker", "status", "-f", "none").output.startswith("No living worker serves none.")
    assert "redis at h:1, database 0" in flow("worker", "status", "-d").output


def test_worker_stop_asks_all_processes_of_a_worker(flow: Any, control: Any) -> None:
    control.workers = WORKERS
    assert flow("worker", "stop", "w1").output == "Worker w1@host is stopping.\n"
    assert sorted(control.requests(pb.StopWorkersRequest)[0].ids) == ["s", "t"]
    assert flow("worker", "stop", input="n\n").exit_code == 1
    assert flow("worker", "stop", input="y\n").exit_code == 0
    assert sorted(control.requests(pb.StopWorkersRequest)[1].ids) == ["s", "t", "u"]


def test_worker_stop_names_a_worker_that_is_not_there(flow: Any, control: Any) -> None:
    control.workers = WORKERS
    said = flow("worker", "stop", "w9")
    assert (said.exit_code, "'w9'" in said.stderr, control.requests(pb.StopWorkersRequest)) == (2, True, [])


def test_worker_start_refuses_arguments_of_celery_that_mean_nothing_here(flow: Any) -> None:
    said = flow("worker", "start", "-q", "task", "--pool=gevent")
    assert (said.exit_code, "--pool=gevent" in said.stderr) == (2, True)


def test_worker_start_says_which_server_is_missing_without_its_password(flow: Any, folder: Path) -> None:
    (folder / "lightflow.cfg").write_text("celery:\n  broker_url: redis://:hidden@127.0.0.1:1/0\nsignal:\n  port: 1\n")
    said = flow("worker", "start")
    assert (said.exit_code, "hidden" in said.stderr) == (3, False)
    assert said.stderr.startswith("Error: redis at redis://")
    assert str(folder / "lightflow.cfg") in said.stderr
    assert len(said.stderr.splitlines()) == 1


def test_monitor_shows_a_line_for_each_event(flow: Any, control: Any) -> None:
    happened = pb.Event(
        id="e", type="task", event="task-lightflow-succeeded", state="succeeded", name="first", run_id=RUN_ID,
        queue="gpu", worker="w1@host", pid=7,
    )  # fmt: skip
    control.stamp(happened, time=0, duration=1.5)
    control.events = [happened]
    header, line = flow("monitor").output.splitlines()
    assert header.split() == ["TIME", "EVENT", "TYPE", "NAME", "RUN", "DURATION"]
    assert line.split()[-6:] == ["succeeded", "task", "first", RUN_ID, "1.50", "s"]
    assert flow("monitor", "-d").output.splitlines()[1].split()[-5:] == ["gpu", "w1@host", "7", "1.50", "s"]


def test_monitor_goes_on_through_a_restart_of_the_control_service(flow: Any, control: Any) -> None:
    control.events = [pb.Event(id="e", type="task", event="task-lightflow-started", name="first", run_id=RUN_ID)]
    control.outages["WatchEvents"] = 1
    said = flow("monitor")
    assert (said.exit_code, said.stdout.count(RUN_ID)) == (0, 1)
    assert said.stderr == "The system does not answer; this goes on as soon as it does.\n"


@pytest.fixture
def extension(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package lightflow_hello that is installed."""
    package = folder / "site" / "lightflow_hello"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "__main__.py").write_text("def main(args):\n    print('hello', *args)\n")
    monkeypatch.syspath_prepend(str(folder / "site"))
    return package


def test_ext_runs_main_of_the_extension_with_all_its_arguments(flow: Any, extension: Path) -> None:
    assert flow("ext", "hello", "world", "--port=1", "-h").output == "hello world --port=1 -h\n"
    assert flow("ext", "hello", "--", "--port=1", "--", "x").output == "hello --port=1 -- x\n"


def test_ext_names_the_extensions_that_it_can_run(flow: Any, extension: Path) -> None:
    (extension / "__init__.py").unlink()  # a package needs none
    (extension.parent / "lightflow_tasks_only").mkdir()
    (extension.parent / "lightflow_tasks_only" / "__init__.py").touch()
    for name in ("other", "scheduler"):
        said = flow("ext", name)
        assert (said.exit_code, f"{name!r}" in said.stderr, said.stderr.endswith("there are: hello\n")) == (
            2,
            True,
            True,
        )


def test_the_configuration_of_a_file_holds_for_ctl_too(ctl: Any, control: Any, folder: Path) -> None:
    (folder / "lightflow.cfg").write_text("libraries: [libs]\n")
    (folder / "libs").mkdir()
    (folder / "libs" / "shared.py").write_text("")
    (folder / "flow.py").write_text("import shared\n")
    assert ctl("start", "flow.py", "-o", "json").exit_code == 0
    assert json.loads(ctl("status", "-o", "json").stdout)
