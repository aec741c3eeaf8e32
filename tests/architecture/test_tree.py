"""What a reader may rely on in the whole tree."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = {
    "scheduler": "lightflow_scheduler",
    "dag-runner": "lightflow_dag_runner",
    "task-worker": "lightflow_task_worker",
}
ROLES = ("__main__.py", "settings.py", "wiring.py", "jobs.py", "loop.py", "store.py")
GENERATED = ROOT / "libs/lightflow-common/src/lightflow/control/v1"
CORE = ROOT / "libs/lightflow-common/src/lightflow/core"
LONGEST = 500
LIBRARY = "libs/lightflow-common/src/lightflow"
MAY_SLEEP = {
    f"{LIBRARY}/local/runner.py": "how delays before retries are waited for in one process, unless told otherwise",
    f"{LIBRARY}/local/stack/temporary.py": "a server that starts says nothing until it answers",
    f"{LIBRARY}/runtime/reopening.py": "between attempts to reach a control service that is down",
}
CLIENTS = ("celery", "pymongo", "redis", "grpc", "networkx")
USER_CODE = ("lightflow.models", "lightflow.tasks", "cloudpickle")


def modules(*folders: str) -> Iterator[Path]:
    for folder in folders:
        yield from (path for path in sorted((ROOT / folder).rglob("*.py")) if GENERATED not in path.parents)


def product() -> list[Path]:
    return [path for path in modules("libs", "services") if "tests" not in path.relative_to(ROOT).parts]


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def loaded_by(statement: str, *suspects: str) -> list[str]:
    """Which of these modules a fresh interpreter has loaded after the statement."""
    code = f"{statement}\nimport sys\nprint(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    found = set(run.stdout.split())
    return [suspect for suspect in suspects if any(one == suspect or one.startswith(f"{suspect}.") for one in found)]


@pytest.mark.parametrize("service", PACKAGES)
def test_the_same_role_has_the_same_file_name_in_every_service(service: str) -> None:
    folder = ROOT / "services" / service / "src" / PACKAGES[service]
    assert [role for role in ROLES if not (folder / role).is_file()] == []


def test_no_module_is_longer_than_a_reader_can_hold() -> None:
    lengths = {name(path): len(path.read_text().splitlines()) for path in modules("libs", "services")}
    assert {path: length for path, length in lengths.items() if length > LONGEST} == {}


def test_nothing_is_left_to_be_done_later() -> None:
    marker = re.compile(r"\b(TODO|FIXME)\b")
    assert [name(path) for path in modules("libs", "services", "tools") if marker.search(path.read_text())] == []


def test_product_code_sleeps_only_where_nothing_can_be_waited_on() -> None:
    sleep = re.compile(r"\btime\.sleep\b|from time import.*\bsleep\b")
    sleeping = {name(path) for path in product() if sleep.search(path.read_text())}
    assert sleeping == MAY_SLEEP.keys()


@pytest.mark.parametrize("path", sorted(CORE.glob("*.py")), ids=lambda path: path.stem)
def test_core_imports_nothing_but_the_standard_library_and_itself(path: Path) -> None:
    imported: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            imported |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            imported.add(node.module or "")
    foreign = {one for one in imported if one.split(".")[0] not in sys.stdlib_module_names}
    assert {one for one in foreign if not (one + ".").startswith("lightflow.core.")} == set()


def test_importing_lightflow_loads_no_client() -> None:
    assert loaded_by("import lightflow", *CLIENTS) == []


@pytest.mark.parametrize("service", ["scheduler", "dag-runner"])
def test_services_that_never_meet_user_code_load_nothing_that_could_run_it(service: str) -> None:
    assert loaded_by(f"import {PACKAGES[service]}.wiring", *USER_CODE) == []


def test_the_readme_shows_the_two_commands() -> None:
    readme = (ROOT / "README.md").read_text()
    assert "make run" in readme
    assert "make test" in readme
