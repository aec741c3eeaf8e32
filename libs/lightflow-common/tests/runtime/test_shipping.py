"""Workflows that programs build, packed and revived without a system."""

import io
import threading
import zipfile
from pathlib import Path
from typing import Any

import cloudpickle
import pytest

from lightflow.core.errors import PythonMismatch, WorkflowUnpicklable
from lightflow.local import run
from lightflow.models import Dag, Option, Workflow
from lightflow.runtime import shipping, sources
from lightflow.tasks import PythonTask


def built(name: str = "flow", callback: Any = None) -> Workflow:
    dag = Dag("main", schema={PythonTask("t", callback or mark): None})
    return Workflow.from_dags(name, [dag], parameters=[Option("n", default=3, type=int)], docstring="Told.")


def mark(data: Any, store: Any, signal: Any, context: Any) -> None:
    data["n"] = store.get("n")


def unpacked(workflow: Workflow, folder: Path) -> Path:
    sources.unpack(shipping.ship(workflow), folder)
    return folder / f"{workflow.name.replace('.', '/')}.py"


@pytest.mark.parametrize("name", ["flow", "nightly.flow", "a flow"])
def test_what_is_shipped_loads_like_any_workflow_file(tmp_path: Path, name: str) -> None:
    file = unpacked(built(name), tmp_path)
    loaded = Workflow()
    loaded.load_file(file)
    assert loaded.docstring == "Told."
    assert [dag.name for dag in loaded.dags] == ["main"]
    assert run(file, n=5).data("t")["n"] == 5


def test_another_python_refuses_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = unpacked(built(), tmp_path)
    monkeypatch.setattr(shipping, "PYTHON", "9.9")
    with pytest.raises(PythonMismatch, match=r"flow was made with Python 3\.\d+ and this worker runs 9\.9"):
        Workflow().load_file(file)


def test_a_task_that_cannot_be_pickled_is_named() -> None:
    lock = threading.Lock()
    with pytest.raises(WorkflowUnpicklable, match="'t'"):
        shipping.ship(built(callback=lambda *_: lock.acquire()))


def test_modules_of_the_user_travel_as_files_and_installed_ones_do_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "shipped_package").mkdir()
    (tmp_path / "shipped_package/__init__.py").write_text("import shipped_neighbour\n\ndef act(*_):\n    pass\n")
    (tmp_path / "shipped_package/notes.txt").write_text("of use")
    (tmp_path / "shipped_neighbour.py").write_text("import bson, json")
    (tmp_path / "stranger.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))
    import shipped_package  # type: ignore[import-not-found]

    archive = zipfile.ZipFile(io.BytesIO(shipping.ship(built(callback=shipped_package.act))))
    assert set(archive.namelist()) == {
        "flow.py",
        "flow.pickle",
        "shipped_package/__init__.py",
        "shipped_package/notes.txt",
        "shipped_neighbour.py",
    }


def test_a_class_of_this_process_is_not_changed_by_data_that_carry_it() -> None:
    class_of_main: Any = type("Shipped", (), {"__module__": "__main__", "told": lambda self: "before"})
    import __main__

    __main__.Shipped = class_of_main  # type: ignore[attr-defined]
    try:
        told = class_of_main.told
        back = shipping.loads(cloudpickle.dumps(class_of_main()))
        assert type(back) is class_of_main
        assert class_of_main.told is told
    finally:
        del __main__.Shipped  # type: ignore[attr-defined]
