"""What must not meet does not: stacks, versions, attempts, and what was before with what is after."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from tests.e2e.support import Cli, gone, seen, states, write_workflow

from lightflow.client import Client
from lightflow.local.stack import Stack

LIBRARIES = "libraries: libraries\n"


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a second system, with workflows and libraries of its own."""
    folder = tmp_path_factory.mktemp("elsewhere")
    (folder / "workflows").mkdir()
    (folder / "libraries" / "teas").mkdir(parents=True)
    (folder / "lightflow.cfg").write_text(LIBRARIES)
    return folder


@pytest.fixture(scope="module")
def second(elsewhere: Path) -> Iterator[Stack]:
    """A second system, side by side with the one that all tests share."""
    config = str(elsewhere / "lightflow.cfg")
    with Stack.temporary(task_slots=1, workflows=(str(elsewhere / "workflows"),), config=config) as stack:
        yield stack


@pytest.fixture
def there(second: Stack, tmp_path: Path) -> Cli:
    """`lightflowctl` that speaks to the second system."""
    return Cli(second.data_dir, tmp_path)


def says(what: str) -> str:
    return f'main = Dag("main", schema={{PythonTask("say", lambda *_: print({what})): None}})\n'


def test_two_systems_side_by_side_do_not_meet(
    cli: Cli, there: Cli, stack: Stack, second: Stack, elsewhere: Path
) -> None:
    write_workflow(elsewhere / "workflows", "only_there", says("'there'"))
    mine = cli("run", "simple", "-o", "json").json["run_id"]
    theirs = there("run", "only_there", "-o", "json").json["run_id"]
    assert {process.pid for process in stack.info.processes}.isdisjoint(p.pid for p in second.info.processes)
    assert stack.info.sockets != second.info.sockets
    for system, own, other in ((cli, mine, theirs), (there, theirs, mine)):
        runs = {run["run_id"] for run in system("status", "-o", "json").json}
        assert (own in runs, other in runs) == (True, False)
        assert system("status", other).code == 2
        assert len(system("workers", "-o", "json").json) == 3
    assert cli("run", "only_there").code == 2
    assert there("run", "simple").code == 2


HOLDS = """
    import os, subprocess

    def hold(data, store, signal, context):
        print("attempt", context.attempt, flush=True)
        if context.attempt == 1:
            subprocess.run(["sh", "-c", "setsid sleep 1000 & sleep 1000"])

    main = Dag("main", schema={PythonTask("first"): PythonTask("holds", hold)})
"""


def test_down_leaves_nothing_behind_and_what_had_not_ended_goes_on_after_the_next_up(tmp_path: Path) -> None:
    file = write_workflow(tmp_path, "holds", HOLDS)
    cli = Cli(tmp_path / "data", tmp_path)
    with Stack.temporary(cli.data_dir, task_slots=1) as stack:
        run_id = cli("start", file).out.strip()
        with cli.begun("logs", run_id, "--follow") as following:
            assert following.stdout is not None
            assert following.stdout.readline() == "holds | attempt 1\n"
        sockets = Path(stack.info.sockets)
        family = [stack.info.pid, *(process.pid for process in psutil.Process(stack.info.pid).children(recursive=True))]
        assert len(family) >= 8  # five processes and what holds them, the guardian of a slot, and its child
        assert cli("down", "--now").code == 0
        assert gone(family, within=10.0)
        assert not sockets.exists()
    assert [pid for pid in psutil.pids() if str(cli.data_dir) in command_line(pid)] == []
    with Stack.temporary(cli.data_dir, task_slots=1):
        assert cli("watch", run_id).code == 0
        ended = cli("status", run_id, "-o", "json").json
        assert (ended["state"], states(ended)) == (
            "succeeded",
            {"main:1": {"first": "succeeded", "holds": "succeeded"}},
        )
        assert cli("logs", run_id).out.splitlines()[-1].endswith("| attempt 2")


def command_line(pid: int) -> str:
    """The command line and the environment of a process; "" when it is gone or somebody else's."""
    try:
        process = psutil.Process(pid)
        return " ".join([*process.cmdline(), *process.environ().values()])
    except psutil.Error:
        return ""


def test_what_an_attempt_does_to_globals_is_not_seen_by_another(
    client: Client, workflow_file: Callable[..., Path]
) -> None:
    file = workflow_file(
        "globals",
        """
        import math

        seen, number = [], 0

        class Tea:
            cups = 0

        def change(data, store, signal, context):
            global number
            number += 1
            Tea.cups += 1
            seen.append(context.task_name)
            math.tau = "changed"
            print(number, Tea.cups, seen)
            if context.attempt == 1 and context.task_name == "last":
                raise ValueError("once more")

        tasks = [PythonTask(name, change, retries=1) for name in ("first", "second", "last")]
        main = Dag("main", schema=dict(zip(tasks, tasks[1:])))
        """,
    )
    end = seen(client, client.start(file))
    assert end.state == "succeeded"
    assert end.printed == {
        "first": ["1 1 ['first']"],
        "second": ["1 1 ['second']"],
        "last": ["1 1 ['last']", "1 1 ['last']"],
    }


def test_a_run_keeps_the_modules_of_its_version_while_a_newer_one_runs(second: Stack, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    opened = os.open(gate, os.O_RDWR)
    body = f"""
        import recipe

        def wait(data, store, signal, context):
            print(recipe.TEA)
            if recipe.TEA == "green":
                with open({str(gate)!r}, "rb") as gate:
                    gate.read(1)

        def brew(data, store, signal, context):
            from recipe_steps.last import step
            print(recipe.TEA, step())

        main = Dag("main", schema={{PythonTask("waits", wait): PythonTask("brews", brew)}})
    """
    file = write_workflow(tmp_path, "brewing", body)
    steps = tmp_path / "recipe_steps"
    steps.mkdir()
    (steps / "__init__.py").touch()
    (steps / "last.py").write_text("from .words import WORD\n\ndef step():\n    return WORD\n")

    def edit(tea: str) -> None:
        (tmp_path / "recipe.py").write_text(f"TEA = {tea!r}\n")
        (steps / "words.py").write_text(f"WORD = 'pour {tea}'\n")

    with Client(second.target) as client:
        edit("green")
        older = client.start(file)
        assert next(line.text for line in older.logs(follow=True)) == "green"
        edit("black")
        newer = client.start(file)
        os.write(opened, b"x")
        assert seen(client, older).printed == {"waits": ["green"], "brews": ["green pour green"]}
        assert seen(client, newer).printed == {"waits": ["black"], "brews": ["black pour black"]}
    os.close(opened)


def test_helpers_of_one_name_beside_two_files_are_two(client: Client, tmp_path: Path) -> None:
    printed = []
    for folder in ("one", "two", "one"):
        beside = tmp_path / folder
        beside.mkdir(exist_ok=True)
        (beside / "helper.py").write_text(f"WORD = {folder!r}\n")
        file = write_workflow(beside, "same_name", f"import helper\n{says('helper.WORD')}")
        printed += seen(client, client.start(file)).printed["say"]
    assert printed == ["one", "two", "one"]


def test_modules_in_a_folder_of_libraries_work_and_are_found_by_each_other(there: Cli, elsewhere: Path) -> None:
    (elsewhere / "libraries" / "kettle.py").write_text("from teas.green import NAME\n\ndef boil():\n    return NAME\n")
    (elsewhere / "libraries" / "teas" / "__init__.py").touch()
    (elsewhere / "libraries" / "teas" / "green.py").write_text("NAME = 'sencha'\n")
    write_workflow(elsewhere / "workflows", "with_libraries", f"import kettle\n{says('kettle.boil()')}")
    assert there("run", "with_libraries").written == {"say": ["sencha"]}
    (elsewhere / "libraries" / "teas" / "green.py").write_text("NAME = 'gyokuro'\n")
    assert there("run", "with_libraries").written == {"say": ["gyokuro"]}


def test_a_task_finds_what_its_file_finds_beside_it(client: Client, tmp_path: Path) -> None:
    for name, text in (
        ("words.json", '["matcha"]'),
        ("reader.py", "from pathlib import Path\n\nWORDS = Path(__file__).with_name('words.json').read_text"),
        ("plugin_tea.py", "NAME = 'oolong'\n"),
        ("more/cups.py", "COUNT = 3\n"),
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    file = write_workflow(
        tmp_path,
        "finds",
        """
        import importlib
        import sys
        from pathlib import Path
        sys.path.append(str(Path(__file__).parent / "more"))
        import cups
        import reader

        def tell(data, store, signal, context):
            plugin = importlib.import_module(f"plugin_{store.get('plugin')}")
            print(reader.WORDS(), plugin.NAME, cups.COUNT)

        main = Dag("main", schema={PythonTask("tells", tell): None})
        """,
    )
    assert seen(client, client.start(file, plugin="tea")).printed == {"tells": ['["matcha"] oolong 3']}


def test_a_helper_of_one_workflow_cannot_be_imported_by_another(cli: Cli, workflow_file: Callable[..., Path]) -> None:
    (cli.folder / "hidden").mkdir()
    (cli.folder / "hidden" / "secret_helper.py").write_text("WORD = 1\n")
    helped = write_workflow(cli.folder / "hidden", "helped", f"import secret_helper\n{says('secret_helper.WORD')}")
    assert cli("run", helped).written == {"say": ["1"]}
    refused = cli("run", workflow_file("alone", f"import secret_helper\n{says('1')}"))
    assert (refused.code, "secret_helper" in refused.err) == (2, True)
