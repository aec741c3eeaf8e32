"""Workflow files: what is read from them, and what their authors are told."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lightflow.config import Config
from lightflow.core.errors import (
    WorkflowArgumentError,
    WorkflowDefinitionError,
    WorkflowImportError,
    WorkflowUnknown,
)
from lightflow.models import Dag, Workflow
from lightflow.models.spec import spec_of
from lightflow.tasks import PythonTask

GOOD = '''""" A good one

It has two DAGs.
"""
from lightflow.models import Dag, Option, Parameters
from lightflow.tasks import PythonTask

parameters = Parameters([Option("n", type=int), Option("m", default=3, type=int)])
first = Dag("zebra", schema={PythonTask("a"): PythonTask("b")})
second = Dag("ant", autostart=False, queue="other")
second.define({PythonTask("a"): None})
again = first
'''


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder for workflow files; what is imported from it is forgotten afterwards."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(Config, "_loaded_last", None)
    yield tmp_path
    for name, module in list(sys.modules.items()):
        if str(getattr(module, "__file__", None)).startswith(str(tmp_path)):
            del sys.modules[name]


def write(folder: Path, name: str, text: str) -> Path:
    file = folder / f"{name}.py"
    file.write_text(text)
    return file


def test_a_file_gives_its_name_docstring_dags_in_order_and_parameters(folder: Path) -> None:
    workflow = Workflow()
    workflow.load_file(write(folder, "good", GOOD))
    assert workflow.name == "good"
    assert workflow.docstring.splitlines()[0] == "A good one"
    assert [dag.name for dag in workflow.dags] == ["zebra", "ant"]
    assert [(o.name, o.default, o.type) for o in workflow.parameters] == [("n", None, int), ("m", 3, int)]


def test_a_workflow_as_data(folder: Path) -> None:
    workflow = Workflow()
    workflow.load_file(write(folder, "good", GOOD))
    spec = spec_of(workflow, encode=lambda value: repr(value).encode())
    assert [(dag.name, dag.autostart, dag.queue) for dag in spec.dags] == [
        ("zebra", True, "dag"),
        ("ant", False, "other"),
    ]
    assert [task.name for task in spec.dag("zebra").tasks] == ["a", "b"]
    assert [(option.name, option.default) for option in spec.parameters] == [("n", None), ("m", b"3")]


def test_a_name_is_looked_up_in_the_folders_of_the_configuration(folder: Path) -> None:
    write(folder, "good", GOOD)
    Config().load_from_dict({"workflows": [str(folder)]})
    workflow = Workflow.from_name("good", queue="q", clear_data_store=False, arguments={"n": "5"})
    assert (workflow.queue, workflow.clear_data_store) == ("q", False)
    assert workflow.provided_arguments == {"n": 5, "m": 3}


def test_missing_arguments_are_an_error_unless_they_are_not_to_be_validated(folder: Path) -> None:
    write(folder, "good", GOOD)
    Config().load_from_dict({"workflows": [str(folder)]})
    with pytest.raises(WorkflowArgumentError, match="'n'"):
        Workflow().load("good")
    Workflow().load("good", validate_arguments=False)


def test_an_unknown_name_is_told_with_the_nearest_one_and_the_folders(folder: Path) -> None:
    write(folder, "good", GOOD)
    Config().load_from_dict({"workflows": [str(folder)]})
    with pytest.raises(WorkflowUnknown, match="did you mean 'good'") as caught:
        Workflow().load("goood")
    assert caught.value.folders == (str(folder),)


@pytest.mark.parametrize("name", ["", "../good", "/etc/passwd", ".good", "a\0b"])
def test_a_name_that_is_no_name_is_unknown(folder: Path, name: str) -> None:
    with pytest.raises(WorkflowUnknown):
        Workflow().load(name)


def test_helpers_beside_the_file_and_in_libraries_can_be_imported(folder: Path) -> None:
    (folder / "lib").mkdir()
    write(folder, "beside_it", "VALUE = 'beside'")
    write(folder / "lib", "in_library", "VALUE = 'library'")
    write(folder, "flow", "import beside_it, in_library\nboth = (beside_it.VALUE, in_library.VALUE)")
    Config().load_from_dict({"workflows": [str(folder)], "libraries": [str(folder / "lib")]})
    Workflow().load("flow")


def test_a_file_is_executed_afresh_each_time(folder: Path) -> None:
    file = write(folder, "flow", "VALUE = 1")
    assert Workflow().load_file(file).VALUE == 1
    file.write_text("VALUE = 2")
    assert Workflow().load_file(file).VALUE == 2


def test_a_file_named_like_a_module_of_python_takes_nobodys_place(folder: Path) -> None:
    import queue

    Workflow().load_file(write(folder, "queue", "VALUE = 1"))
    import queue as still

    assert still is queue


def test_an_import_error_shows_the_users_own_line(folder: Path) -> None:
    write(folder, "helper", "def broken():\n    return {}['absent']\n")
    file = write(folder, "flow", "import helper\n\nhelper.broken()\n")
    with pytest.raises(WorkflowImportError, match="KeyError: 'absent'") as caught:
        Workflow().load_file(file)
    assert (caught.value.file, caught.value.line) == (str(folder / "helper.py"), 2)
    assert "return {}['absent']" in str(caught.value)


def test_an_error_below_a_library_shows_the_users_own_line(folder: Path) -> None:
    with pytest.raises(WorkflowImportError, match="JSONDecodeError") as caught:
        Workflow().load_file(write(folder, "flow", "import json\njson.loads('{')\n"))
    assert (caught.value.line, caught.value.text) == (2, "json.loads('{')")


def test_a_syntax_error_shows_the_line(folder: Path) -> None:
    with pytest.raises(WorkflowImportError, match="SyntaxError") as caught:
        Workflow().load_file(write(folder, "flow", "x = 1\nd = Dag('main'\n"))
    assert (caught.value.line, caught.value.text) == (2, "d = Dag('main'")


def test_a_missing_module_is_named(folder: Path) -> None:
    with pytest.raises(WorkflowImportError, match="No module named 'no_such_module'"):
        Workflow().load_file(write(folder, "flow", "import no_such_module"))


def test_a_file_that_exits_does_not_end_who_loads_it(folder: Path) -> None:
    with pytest.raises(WorkflowImportError, match="SystemExit"):
        Workflow().load_file(write(folder, "flow", "raise SystemExit(3)"))


def test_a_file_that_is_not_there_is_an_error(folder: Path) -> None:
    with pytest.raises(WorkflowImportError, match="no workflow file"):
        Workflow().load_file(folder / "absent.py")


HEAD = """from lightflow.models import Dag
from lightflow.tasks import PythonTask
a, b = PythonTask('a'), PythonTask('b')
"""


def test_a_cycle_is_a_definition_error_with_the_line(folder: Path) -> None:
    with pytest.raises(WorkflowDefinitionError, match=r"(a -> b -> a|b -> a -> b).*line 4") as caught:
        Workflow().load_file(write(folder, "flow", HEAD + "d = Dag('main', schema={a: b, b: a})"))
    assert (caught.value.workflow_name, caught.value.graph_name) == ("flow", "main")


def test_two_tasks_of_one_name_are_a_definition_error(folder: Path) -> None:
    with pytest.raises(WorkflowDefinitionError, match="two tasks named 'a'"):
        Workflow().load_file(write(folder, "flow", HEAD + "d = Dag('main', schema={a: PythonTask('a')})"))


def test_two_dags_of_one_name_are_a_definition_error(folder: Path) -> None:
    with pytest.raises(WorkflowDefinitionError, match="two DAGs named 'main'"):
        Workflow().load_file(write(folder, "flow", HEAD + "d, e = Dag('main', schema={a: b}), Dag('main')"))


def test_a_file_without_a_dag_is_an_error_only_where_one_is_wanted(folder: Path) -> None:
    file = write(folder, "flow", "x = 1")
    Workflow().load_file(file)
    with pytest.raises(WorkflowImportError, match="has no DAG"):
        Workflow().load_file(file, strict_dag=True)


def test_a_workflow_can_be_made_of_dags() -> None:
    workflow = Workflow.from_dags("flow", [Dag("main", schema={PythonTask("a"): None})])
    assert [dag.name for dag in spec_of(workflow, encode=lambda _: b"").dags] == ["main"]
