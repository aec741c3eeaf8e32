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


def test_workflow_list_and_start(flow: Any, control: Any) -> None:
    assert "One task after another." in flow("workflow", "list").output
    assert flow("workflow", "start", "-k", "simple", "a=1").output == f"{RUN_ID}\n"
    request = control.requests(pb.StartRunRequest)[0]
    assert (request.keep_data, request.arguments[0].text) == (True, "1")


def test_workflow_stop_takes_the_name_of_a_workflow_and_asks(flow: Any, control: Any) -> None:
    control.runs = {RUN_ID: control.make_run("running")}
    assert flow("workflow", "stop", "simple", input="n\n").exit_code == 1
    assert control.requests(pb.StopRunRequest) == []
    assert flow("workflow", "stop", "simple", input="y\n").exit_code == 0
    assert [request.run_id for request in control.requests(pb.StopRunRequest)] == [RUN_ID]


def test_workflow_status_shows_what_goes_on(flow: Any, control: Any) -> None:
    assert flow("workflow", "status").output == "No runs.\n"
    control.runs = {RUN_ID: control.make_run("running", RUN_ID, control.make_task("first", "running"))}
    assert RUN_ID in flow("workflow", "status").output
    assert "first" in flow("workflow", "status", "-d").output


def test_worker_status_filters_by_queue(flow: Any, control: Any) -> None:
    control.workers = [pb.Worker(service="task-worker", name="w1", queues=["gpu"])]
    assert "w1" in flow("worker", "status", "-f", "gpu,task").output
    assert list(control.requests(pb.ListWorkersRequest)[0].queues) == ["gpu", "task"]


def test_the_configuration_of_a_file_holds_for_ctl_too(ctl: Any, control: Any, folder: Path) -> None:
    (folder / "lightflow.cfg").write_text("libraries: [libs]\n")
    (folder / "libs").mkdir()
    (folder / "libs" / "shared.py").write_text("")
    (folder / "flow.py").write_text("import shared\n")
    assert ctl("start", "flow.py", "-o", "json").exit_code == 0
    assert json.loads(ctl("status", "-o", "json").stdout)
