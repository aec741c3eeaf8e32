"""Workflows that programs build: started from objects, with the functions and classes of the program itself."""

import os
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lightflow.client import Client
from lightflow.core.errors import PythonMismatch, WorkflowArgumentError, WorkflowUnpicklable
from lightflow.local.stack import Stack
from lightflow.models import Dag, Option, Workflow
from lightflow.runtime import shipping
from lightflow.tasks import PythonTask

PATIENCE = 60.0


class Point:
    """A class of this file, which no worker can import."""

    def __init__(self, x: int) -> None:
        self.x = x

    def doubled(self) -> "Point":
        return Point(2 * self.x)


def make(data: Any, store: Any, signal: Any, context: Any) -> None:
    data["point"] = Point(store.get("start", 1))


def double(data: Any, store: Any, signal: Any, context: Any) -> None:
    data["point"] = data["point"].doubled()


def points(*, autostart: bool = True) -> Dag:
    return Dag("points", autostart=autostart, schema={PythonTask("make", make): PythonTask("double", double)})


def test_a_dag_runs_with_functions_and_classes_of_the_program(client: Client) -> None:
    run = client.start(points(autostart=False))
    assert run.wait(PATIENCE) == "succeeded", run.error
    before = vars(Point)["doubled"]
    point = run.result("double")["point"]
    assert type(point) is Point
    assert point.x == 2
    assert vars(Point)["doubled"] is before


def test_a_workflow_is_checked_against_its_parameters(client: Client) -> None:
    workflow = Workflow.from_dags("points", [points()], parameters=[Option("start", type=int)], docstring="Points.")
    with pytest.raises(WorkflowArgumentError, match="start"):
        client.start(workflow)
    run = client.start(workflow, start=4)
    assert run.workflow == "points"
    run.wait(PATIENCE)
    assert run.result("double")["point"].x == 8


def test_a_task_that_cannot_be_sent_is_named(client: Client) -> None:
    import threading

    lock = threading.Lock()

    def locking(*_: Any) -> None:
        lock.acquire()

    with pytest.raises(WorkflowUnpicklable, match="'locks'"):
        client.start(Dag("main", schema={PythonTask("locks", locking): None}))


def test_another_python_refuses(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shipping, "PYTHON", "2.7")
    with pytest.raises(PythonMismatch, match=r"made with Python 2\.7") as raised:
        client.start(points())
    assert raised.value.running == f"{sys.version_info.major}.{sys.version_info.minor}"


SCRIPT = """
import pickle

import beside
from lightflow.client import Client
from lightflow.models import Dag
from lightflow.tasks import PythonTask

FACTOR = 3

class Result:
    def __init__(self, value):
        self.value = value

def compute(data, store, signal, context):
    import inside
    data["result"] = pickle.loads(pickle.dumps(Result(FACTOR * beside.base() + inside.ONE)))

with Client() as client:
    FACTOR = 7
    run = client.start(Dag("main", schema={PythonTask("compute", compute): None}))
    print(run.wait(60), run.error)
    result = run.result("compute")["result"]
    print(type(result) is Result, result.value)
    FACTOR = 0
    run = client.start(Dag("main", schema={PythonTask("compute", compute): None}))
    print(run.wait(60), run.result("compute")["result"].value)
"""


@pytest.fixture
def script(stack: Stack, tmp_path: Path) -> Callable[..., str]:
    """Runs a script that speaks to the system; what it prints."""

    def run(text: str, *options: str) -> str:
        file = tmp_path / "script.py"
        file.write_text(textwrap.dedent(text))
        environment = {**os.environ, "LIGHTFLOW_TARGET": stack.target}
        command = [sys.executable, *(options or [str(file)])]
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=PATIENCE, cwd=tmp_path, env=environment, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


def test_a_script_starts_its_own_functions_with_the_modules_beside_it(
    script: Callable[..., str], tmp_path: Path
) -> None:
    (tmp_path / "beside.py").write_text("import further\n\ndef base():\n    return further.TEN\n")
    (tmp_path / "further.py").write_text("TEN = 10\n")
    (tmp_path / "inside.py").write_text("ONE = 1\n")
    assert script(SCRIPT).splitlines() == ["succeeded None", "True 71", "succeeded 1"]


def test_a_notebook_has_no_file_and_starts_all_the_same(script: Callable[..., str], tmp_path: Path) -> None:
    (tmp_path / "beside.py").write_text("def base():\n    return 10\n")
    (tmp_path / "inside.py").write_text("ONE = 1\n")
    cells = SCRIPT.replace("import beside", "import beside, inside")
    assert script("", "-c", cells).splitlines() == ["succeeded None", "True 71", "succeeded 1"]
