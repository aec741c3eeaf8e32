"""Workflows that cannot be started: whoever asks is told what is wrong and where, and no run is left."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.e2e.support import HEADER, Cli, seen

from lightflow.client import Client


@dataclass(frozen=True)
class Wrong:
    """A workflow file with a mistake, and what the message must name."""

    name: str
    body: str
    named: tuple[str, ...]
    arguments: tuple[str, ...] = ()


GOOD = 'main = Dag("main", schema={PythonTask("only"): None})\n'
TAKES = 'parameters = Parameters([Option("days", type=int, help="how many"), Option("size", default=1, type=float)])\n'

MISTAKES = [
    Wrong("missing_module", f"import nosuchmodule\n{GOOD}", ("nosuchmodule", "missing_module.py", "line 5")),
    Wrong("missing_name", f"from math import sinus\n{GOOD}", ("sinus", "missing_name.py", "line 5")),
    Wrong("broken_syntax", "main = Dag('main' schema={})\n", ("SyntaxError", "broken_syntax.py", "line 5")),
    Wrong(
        "raises",
        f'def build():\n    raise RuntimeError("the disk is full")\n\nbuild()\n{GOOD}',
        ("RuntimeError: the disk is full", "raises.py", "line 6", 'raise RuntimeError("the disk is full")'),
    ),
    Wrong("leaves", f"import sys\nsys.exit(3)\n{GOOD}", ("SystemExit", "leaves.py", "line 6")),
    Wrong(
        "cycle",
        'a, b = PythonTask("a"), PythonTask("b")\nd = Dag("circle", schema={a: b, b: a})\n',
        ("'circle'", "cycle", "line 6"),
    ),
    Wrong("no_dag", 'task = PythonTask("only")\n', ("no DAG", "no_dag")),
    Wrong("no_schema", 'main = Dag("empty")\n', ("'empty'", "schema")),
    Wrong("wrong_schema", 'main = Dag("main", schema=[PythonTask("a")])\n', ("'main'", "dict", "line 5")),
    Wrong("no_task", 'main = Dag("main", schema={PythonTask("a"): "b"})\n', ("'b'", "no task", "line 5")),
    Wrong("twins", 'd = Dag("family", schema={PythonTask("twin"): PythonTask("twin")})\n', ("'family'", "'twin'")),
    Wrong(
        "same_dags",
        "".join(f'd{n} = Dag("same", schema={{PythonTask("a"): None}})\n' for n in (1, 2)),
        ("two DAGs", "'same'"),
    ),
    Wrong(
        "unpicklable",
        "import threading\nlock = threading.Lock()\n\ndef use(data, store, signal, context):\n    with lock:\n"
        '        pass\n\nd = Dag("d", schema={PythonTask("locks", use): None})\n',
        ("'locks'", "'lock'", "use()", "unpicklable.py", "line 8"),
    ),
    Wrong("missing_option", TAKES + GOOD, ("'days'", "how many", "days=")),
    Wrong("wrong_option", TAKES + GOOD, ("'days'", "whole number", "'two'"), ("days=two",)),
    Wrong("wrong_default", TAKES + GOOD, ("'size'", "number", "'big'"), ("days=1", "size=big")),
    Wrong("no_pair", GOOD, ("'days'", "NAME=VALUE"), ("days",)),
]


@pytest.mark.parametrize("wrong", MISTAKES, ids=lambda wrong: wrong.name)
def test_a_file_with_a_mistake_is_refused_by_what_and_where(
    cli: Cli, client: Client, workflow_file: Callable[..., Path], wrong: Wrong
) -> None:
    file = workflow_file(wrong.name, wrong.body)
    refused = cli("start", file, *wrong.arguments)
    assert (refused.code, refused.out) == (2, "")
    assert refused.err.startswith("Error: ")
    assert [part for part in wrong.named if part not in refused.err] == [], refused.err
    assert refused.err.count("\n") <= 2
    assert "Traceback" not in refused.err
    assert list(client.runs(workflow=wrong.name)) == []


NOT_THERE = [
    (("nosuch.py",), ("nosuch.py",)),
    (("folder/nosuch.py",), ("folder/nosuch.py", "does not exist")),
    (("reprot.py",), ("reprot.py", "did you mean report.py")),
    ((".",), ()),
    (("./",), ("folder", "report.py")),
    (("notes.txt/",), ("notes.txt",)),
    (("./notes.txt",), ("notes.txt", ".py")),
    (("",), ("empty",)),
    (("nosuch",), ("'nosuch'", "known:")),
    (("simpel",), ("'simpel'", "did you mean 'simple'")),
    (("report",), ("'report'", "report.py")),
]


@pytest.mark.parametrize(("arguments", "named"), NOT_THERE, ids=lambda value: "_".join(value) or "empty")
def test_what_is_not_there_is_refused_with_what_was_probably_meant(
    cli: Cli, workflow_file: Callable[..., Path], arguments: tuple[str, ...], named: tuple[str, ...]
) -> None:
    workflow_file("report", GOOD)
    (cli.folder / "notes.txt").touch()
    refused = cli("start", *arguments)
    assert (refused.code, refused.out) == (2, "")
    assert [part for part in named if part not in refused.err] == [], refused.err
    assert refused.err.count("\n") <= 2


@pytest.mark.parametrize("command", ["run", "show", "deploy"])
def test_every_command_that_takes_a_workflow_refuses_it_alike(
    cli: Cli, workflow_file: Callable[..., Path], command: str
) -> None:
    broken = cli(command, workflow_file("broken", f"import nosuchmodule\n{GOOD}"))
    assert (broken.code, broken.out) == (2, "")
    assert "nosuchmodule" in broken.err


def test_a_file_in_a_workflow_folder_is_refused_by_its_own_path(cli: Cli, flows: Path) -> None:
    file = flows / "broken_at_home.py"
    file.write_text(f"{HEADER}import nosuchmodule\n{GOOD}")
    refused = cli("start", "broken_at_home")
    file.unlink()
    assert refused.code == 2
    assert str(file) in refused.err
    assert "nosuchmodule" in refused.err


def test_a_mistake_in_a_helper_module_is_found_there(cli: Cli, workflow_file: Callable[..., Path]) -> None:
    (cli.folder / "my_helper.py").write_text("value = 1\nvalue.nosuch\n")
    refused = cli("start", workflow_file("with_helper", f"import my_helper\n{GOOD}"))
    assert refused.code == 2
    assert str(cli.folder / "my_helper.py") in refused.err
    assert "line 2" in refused.err


def test_an_edit_takes_effect_on_the_next_start(cli: Cli, client: Client, flows: Path) -> None:
    file = flows / "edited.py"
    versions = set()
    for word in ("one", "two"):
        file.write_text(f'{HEADER}main = Dag("main", schema={{PythonTask("say", lambda *_: print("{word}")): None}})\n')
        ended = cli("run", "edited", "-o", "json")
        assert ended.written == {"say": [word]}
        versions.add(ended.json["version"])
    file.unlink()
    assert len(versions) == 2


def test_a_file_that_lists_a_folder_sees_what_is_there_now(
    client: Client, workflow_file: Callable[..., Path], tmp_path: Path
) -> None:
    images = tmp_path / "images"
    images.mkdir()
    file = workflow_file(
        "lists",
        f"""
        from pathlib import Path
        names = sorted(path.name for path in Path({str(images)!r}).iterdir())
        main = Dag("main", schema={{PythonTask("begin"): [PythonTask(name) for name in names]}})
        """,
    )
    for names in (["one"], ["one", "two"]):
        (images / names[-1]).touch()
        assert list(seen(client, client.start(file)).tasks["main:1"]) == ["begin", *names]


def test_what_a_file_prints_while_it_loads_harms_nothing(cli: Cli, workflow_file: Callable[..., Path]) -> None:
    started = cli("run", workflow_file("chatty", f'import os\nprint("loading")\nos.write(1, b"raw")\n{GOOD}'))
    assert started.code == 0
