"""Listing workflows without a running system."""

import textwrap
from pathlib import Path

import pytest

from lightflow.config import Config
from lightflow.runtime.workflow_list import ListedWorkflow
from lightflow.workflows import list_workflows

HEADER = "from lightflow.models import *\nfrom lightflow.tasks import PythonTask\n"
MAIN = "\nmain = Dag('main', schema={PythonTask('only'): None})\n"


@pytest.fixture
def listed(tmp_path: Path) -> object:
    """Write these files and list the workflows of their folder, by name."""

    def list_them(**files: str) -> dict[str, ListedWorkflow]:
        for name, text in files.items():
            (tmp_path / f"{name}.py").write_text(textwrap.dedent(text))
        config = Config()
        config.load_from_dict({"workflows": [str(tmp_path)], "engine": {"load_timeout": 5}})
        return {workflow.name: workflow for workflow in list_workflows(config)}

    return list_them


def test_workflows_are_listed_by_name_with_what_they_ask_for(listed) -> None:
    options = "parameters = Parameters([Option('days', type=int, help='how many'), Option('title', 'May')])"
    found = listed(second=f'"""The second.\n\nMore."""\n{HEADER}{options}{MAIN}print("loaded")', first=HEADER + MAIN)
    assert list(found) == ["first", "second"]
    assert found["second"].docstring == "The second.\n\nMore."
    days, title = found["second"].parameters
    assert (days.name, days.default, days.help, days.type) == ("days", None, "how many", int)
    assert (title.default, title.type) == ("May", str)


def test_a_file_that_does_not_load_is_listed_with_its_error(listed) -> None:
    found = listed(
        broken=f"{HEADER}import nothing_of_that_name",
        typo="from lightflow.models import Dag\ndef",
        cycle=f"{HEADER}a, b = PythonTask('a'), PythonTask('b')\nmain = Dag('main', schema={{a: b, b: a}})",
        leaves=f"{HEADER}import os\nos._exit(3)",
        dies=f"{HEADER}import os\nos.kill(os.getpid(), 9)",
        exits=f"{HEADER}raise SystemExit(4)",
        fine=HEADER + MAIN,
    )
    assert "nothing_of_that_name" in found["broken"].error
    assert "line 3" in found["broken"].error
    assert "SyntaxError" in found["typo"].error
    assert "cycle" in found["cycle"].error
    assert "ended with code 3" in found["leaves"].error
    assert "killed by SIGKILL" in found["dies"].error
    assert "SystemExit" in found["exits"].error
    assert found["fine"].error == ""


def test_helper_modules_are_no_workflows_even_when_broken(listed) -> None:
    assert list(listed(helper="x = 1", broken="import nothing", main=f"{HEADER}import helper{MAIN}")) == ["main"]


def test_a_file_that_never_ends_loading_is_given_up(tmp_path: Path) -> None:
    (tmp_path / "hangs.py").write_text(f"{HEADER}import threading\nthreading.Event().wait()")
    config = Config()
    config.load_from_dict({"workflows": [str(tmp_path)], "engine": {"load_timeout": 0.2}})
    (hangs,) = list_workflows(config)
    assert "more than 0.2 s" in hangs.error


def test_modules_of_the_library_folders_can_be_imported(tmp_path: Path) -> None:
    for folder in ("flows", "libs"):
        (tmp_path / folder).mkdir()
    (tmp_path / "libs" / "shared_things.py").write_text("")
    (tmp_path / "flows" / "uses.py").write_text(f"{HEADER}import shared_things{MAIN}")
    config = Config()
    config.load_from_dict({"workflows": [str(tmp_path / "flows")], "libraries": [str(tmp_path / "libs")]})
    assert [workflow.error for workflow in list_workflows(config)] == [""]


def test_without_files_there_are_no_workflows(listed) -> None:
    assert listed() == {}
