"""The pages about containers, typed by somebody in a fresh clone: their `sh` blocks, one after the other."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.compose.project import ALL, FILE, ROOT, docker, free_port

PAGES = ("compose", "upgrading", "backup")
TAG = "test-docs"
COMPOSE = "docker compose -f deploy/compose.yaml"

pytestmark = pytest.mark.skipif(not ALL, reason="the long form: make test-compose")


def tracked() -> list[str]:
    """What a clone of the working tree would hold."""
    listed = ["git", "ls-files", "-co", "--exclude-standard"]
    names = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    return [name for name in names if (ROOT / name).is_file()]


@pytest.fixture(scope="module")
def newcomer(images: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, dict[str, str]]]:
    """A clone, and the environment of who has it: a project, a port and a tag that are nobody else's."""
    clone = tmp_path_factory.mktemp("clone")
    for name in tracked():
        (clone / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, clone / name)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LIGHTFLOW_")}
    project = f"lightflow-docs-{os.getpid()}"
    own = {
        "COMPOSE_PROJECT_NAME": project,
        "LIGHTFLOW_CONTROL_PORT": str(free_port()),
        "LIGHTFLOW_TAG": TAG,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }
    try:
        yield clone, {**kept, **own}
    finally:
        docker("compose", "-f", str(FILE), "-p", project, "down", "--volumes", check=False, LIGHTFLOW_TAG=TAG)
        for service in ("scheduler", "dag-runner", "task-worker"):
            docker("rmi", f"lightflow-{service}:{TAG}", check=False)


def type_in(newcomer: tuple[Path, dict[str, str]], block: str) -> str:
    """What the commands print, each of which must end well."""
    clone, environment = newcomer
    typed = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", block],
        cwd=clone,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert typed.returncode == 0, f"{block}\n{typed.stdout}{typed.stderr}"
    return typed.stdout


@pytest.mark.parametrize("page", PAGES)
def test_what_a_page_lets_one_type_works(newcomer: tuple[Path, dict[str, str]], page: str) -> None:
    text = (
        (newcomer[0] / f"docs/operations/{page}.md").read_text().replace("LIGHTFLOW_TAG=2.0.0", f"LIGHTFLOW_TAG={TAG}")
    )
    blocks = re.findall(r"^```sh\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert blocks
    if page != PAGES[0]:  # what the first page ends with
        type_in(newcomer, f"{COMPOSE} up --wait\n{COMPOSE} exec control lightflowctl run simple")
    for block in blocks:
        print(block, type_in(newcomer, block), sep="\n")


def test_a_restored_system_knows_what_ran_before(newcomer: tuple[Path, dict[str, str]]) -> None:
    shown = type_in(newcomer, "lightflowctl status")
    assert "simple" in shown
    assert "succeeded" in shown


def test_the_table_of_variables_is_that_of_the_file() -> None:
    table = (ROOT / "docs/operations/compose.md").read_text().split("## What can be set")[1].split("\n##")[0]
    told = {name for line in re.findall(r"^\| `.*?\|", table, re.MULTILINE) for name in re.findall(r"`(\w+)`", line)}
    assert told == set(re.findall(r"\$\{(\w+):-", FILE.read_text()))
