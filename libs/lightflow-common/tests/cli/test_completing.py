"""Completion, as the shells ask for it."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest
from click.shell_completion import BashComplete

from lightflow.cli.lightflow import main as lightflow
from lightflow.cli.lightflowctl import main as lightflowctl
from lightflow.control.v1 import control_pb2 as pb

RUN_ID = "65f1a0c3d2e4b5a697887766"
BIN = Path(sys.executable).parent


def completed(command: click.Group, *words: str) -> list[str]:
    """What the last of the words may become; a file stands for all files."""
    items = BashComplete(command, {}, "x", "_X").get_completions(list(words[:-1]), words[-1])
    return [item.type if item.type != "plain" else item.value for item in items]


def test_commands_and_options_are_completed_without_a_system(folder: Path) -> None:
    assert completed(lightflowctl, "st") == ["start", "stop", "status"]
    assert completed(lightflowctl, "status", "--st") == ["--state"]
    assert completed(lightflow, "workflow", "s") == ["start", "status", "stop"]


def test_where_no_system_runs_nothing_is_suggested_and_nothing_said(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("lightflow.runtime.rpc.targets.answers", lambda address: False)
    assert completed(lightflowctl, "status", "") == []
    assert capsys.readouterr() == ("", "")


def test_workflows_are_completed_as_files_and_by_name(control: Any) -> None:
    control.workflows["sequence"] = pb.Workflow(name="sequence")
    assert completed(lightflowctl, "start", "s") == ["file", "simple", "sequence"]
    assert completed(lightflow, "workflow", "start", "se") == ["file", "sequence"]
    assert completed(lightflowctl, "show", "flows/s") == ["file"]


def test_runs_are_completed_by_id_and_their_tasks_by_name(control: Any) -> None:
    assert completed(lightflowctl, "status", "65") == [RUN_ID]
    assert completed(lightflowctl, "data", "get", "") == [RUN_ID]
    assert completed(lightflowctl, "logs", RUN_ID, "-t", "") == ["first", "second"]


def test_only_what_goes_on_is_suggested_to_be_stopped(control: Any) -> None:
    assert completed(lightflowctl, "stop", "") == []
    control.runs = {RUN_ID: control.make_run("running")}
    assert completed(lightflowctl, "stop", "") == [RUN_ID]
    assert completed(lightflow, "workflow", "stop", "si") == ["simple"]


def test_workers_are_completed_without_their_hosts(control: Any) -> None:
    control.workers = [pb.Worker(id="t", service="task-worker", name="w1@host")]
    assert completed(lightflow, "worker", "stop", "w") == ["w1"]


SHELLS = {
    "bash": 'eval "$(_LIGHTFLOWCTL_COMPLETE=bash_source lightflowctl)"; COMP_WORDS=(lightflowctl st) COMP_CWORD=1; '
    '_lightflowctl_completion lightflowctl; printf "%s\\n" "${COMPREPLY[@]}"',
    "zsh": "autoload -Uz compinit && compinit -u -D; "
    'eval "$(_LIGHTFLOWCTL_COMPLETE=zsh_source lightflowctl)"; '
    "_describe() { print -l ${(P)3%%:*} }; words=(lightflowctl st) CURRENT=2; $_comps[lightflowctl]",
    "fish": '_LIGHTFLOWCTL_COMPLETE=fish_source lightflowctl | source; complete -C "lightflowctl st"',
}


@pytest.mark.parametrize("shell", SHELLS)
def test_the_shells_complete(shell: str, folder: Path) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    path = {"PATH": f"{BIN}:/usr/bin:/bin", "HOME": str(folder), "TERM": "dumb"}
    said = subprocess.run([shell, "-c", SHELLS[shell]], env=path, capture_output=True, text=True, check=False)
    assert [line.split("\t")[0].split(":")[0] for line in said.stdout.splitlines()] == ["start", "stop", "status"] or (
        shell == "fish" and {line.split("\t")[0] for line in said.stdout.splitlines()} == {"start", "stop", "status"}
    ), said.stderr
