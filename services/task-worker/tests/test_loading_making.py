"""A workflow file becomes a version, or an error that says what is wrong with it and where."""

import os
import subprocess
import sys

import pytest

from lightflow_task_worker.making import Failed, Made, Maker

HEAD = "from lightflow.models import Dag\nfrom lightflow.tasks import PythonTask\n"
GOOD = '''
"""Does something.

At length.
"""
from lightflow.models import Dag, Option, Parameters
from lightflow.tasks import PythonTask

parameters = Parameters([Option("path"), Option("count", default=3, type=int)])
words = {"a", "b", "c", "d", "e", "f"}

class Point:
    known = frozenset(["x", "y", "z"])

class Special(PythonTask):
    point = Point()

def work(data, store, signal, context):
    data["words"] = words, Point, lambda: words

first, second = PythonTask("first", work), Special("second", work)
main = Dag("main", schema={first: {second: "slot"}})
sub = Dag("sub", autostart=False, schema={PythonTask("only", work): None})
'''


async def test_a_file_is_told_as_data(workshop):
    spec = (await workshop.make(GOOD)).spec
    assert (spec.name, spec.docstring.splitlines()[0]) == ("flow", "Does something.")
    assert [option.name for option in spec.parameters] == ["path", "count"]
    assert [(dag.name, dag.autostart) for dag in spec.dags] == [("main", True), ("sub", False)]
    assert [task.type for task in spec.dag("main").tasks] == ["PythonTask", "Special"]
    assert spec.dag("main").edges == ((0, 1, "slot"),)


async def test_an_unchanged_file_is_the_same_version_whoever_loads_it(workshop, slots):
    first = await workshop.make(GOOD)
    another = Maker(slots, 10)
    versions = {first.version} | {(await workshop.make(GOOD)).version for _ in range(3)}
    workshop._maker = another
    versions.add((await workshop.make(GOOD)).version)
    await another.close()
    assert len(versions) == 1


async def test_an_edit_is_another_version_at_once_also_one_of_the_same_length(workshop):
    text = HEAD + "def work(*_): return {}\nd = Dag('d', schema={{PythonTask('a', work): None}})\n"
    versions = [(await workshop.make(text.format(n))).version for n in range(3)]
    assert len(set(versions)) == 3


async def test_a_helper_is_part_of_the_version(workshop, folder):
    (folder / "helper.py").write_text("n = 1\n")
    text = HEAD + "import helper\ndef work(*_): print(helper.n)\nd = Dag('d', schema={PythonTask('a', work): None})\n"
    first = await workshop.make(text)
    (folder / "helper.py").write_text("n = 2\n")
    assert (await workshop.make(text)).version != first.version
    assert not (folder / "__pycache__").exists()


async def test_tasks_of_a_large_dag_lie_in_several_shards(workshop):
    text = HEAD + "d = Dag('d', schema={PythonTask(f't{n}', lambda *_: None): None for n in range(150)})\n"
    made = await workshop.make(text)
    assert [(first, last) for _, first, last, _ in made.shards] == [(0, 63), (64, 127), (128, 149)]


async def test_every_task_of_a_shard_can_be_run(workshop, slot, calls, written):
    text = HEAD + (
        "def work(n): return lambda *_: print(n)\n"
        "d = Dag('d', schema={PythonTask(f't{n}', work(n)): None for n in range(70)})\n"
    )
    made = await workshop.make(text)
    for index in (0, 7, 8, 63, 64, 69):
        await slot.run(workshop.job(made, index), calls, written.append)
    assert b"".join(written).split() == [b"0", b"7", b"8", b"63", b"64", b"69"]


async def test_a_large_global_is_kept_once_per_shard(workshop):
    text = HEAD + (
        "import os\nbig = os.urandom(2_000_000)\ndef work(*_): return len(big)\n"
        "d = Dag('d', schema={PythonTask(f't{n}', work): None for n in range(64)})\n"
    )
    made = await workshop.make(text)
    assert sum(len(code) for *_, code in made.shards) < 3_000_000


async def test_a_library_folder_is_on_the_path_and_in_the_archive(workshop, folder):
    library = folder / "library"
    library.mkdir()
    (library / "tool.py").write_text("def use(): return 1\n")
    text = HEAD + "from tool import use\nd = Dag('d', schema={PythonTask('a', lambda *_: use()): None})\n"
    made = await workshop.try_make(text, libraries=(library,))
    assert isinstance(made, Made)
    assert b"tool.py" in made.archive


async def test_what_a_file_prints_when_it_is_imported_disturbs_nothing(workshop):
    text = "import os\nprint('x' * 100_000)\nos.write(1, b'more')\n" + HEAD
    made = await workshop.make(text + "d = Dag('d', schema={PythonTask('a'): None})\n")
    assert made.spec.dags[0].name == "d"


LOCK = "import threading\nlock = threading.Lock()\n"
WRONG = {
    "an import that fails": (
        "import nowhere_to_be_found",
        "WorkflowImportError",
        ["line 3: import nowhere_to_be_found"],
    ),
    "an error at the top": ("x = 1\n1 / 0", "WorkflowImportError", ["ZeroDivisionError", "line 4: 1 / 0"]),
    "broken syntax": ("def work(:", "WorkflowImportError", ["SyntaxError", "line 3: def work(:"]),
    "sys.exit": ("import sys\nsys.exit('no')", "WorkflowImportError", ["SystemExit", "line 4: sys.exit('no')"]),
    "no DAG": ("x = 1", "WorkflowImportError", ["has no DAG"]),
    "a cycle": (
        "a, b = PythonTask('a'), PythonTask('b')\nd = Dag('d', schema={a: b, b: a})",
        "WorkflowDefinitionError",
        ["'d'", "b -> a -> b"],
    ),
    "a cycle nobody validated": (
        "a, b = PythonTask('a'), PythonTask('b')\nd = Dag('d')\nd.define({a: b, b: a}, validate=False)",
        "WorkflowDefinitionError",
        ["'d'", "b -> a -> b"],
    ),
    "a DAG without a schema": ("d = Dag('d')", "WorkflowDefinitionError", ["'d'", "no schema"]),
    "two tasks of one name": (
        "d = Dag('d', schema={PythonTask('a'): PythonTask('a')})",
        "WorkflowDefinitionError",
        ["two tasks named 'a'"],
    ),
    "an unpicklable global": (
        LOCK + "def work(*_):\n    with lock: pass\nd = Dag('d', schema={PythonTask('t', work): None})",
        "WorkflowUnpicklable",
        ["Task 't'", "global 'lock'", "work()", "line 5"],
    ),
    "an unpicklable global further down": (
        LOCK + "def inner(): return lock\ndef work(*_): inner()\nd = Dag('d', schema={PythonTask('t', work): None})",
        "WorkflowUnpicklable",
        ["Task 't'", "global 'lock'", "inner()"],
    ),
    "an unpicklable closure": (
        LOCK + "def make(held): return lambda *_: held\nd = Dag('d', schema={PythonTask('t', make(lock)): None})",
        "WorkflowUnpicklable",
        ["Task 't'", "variable 'held'"],
    ),
    "a crash": ("import ctypes\nctypes.string_at(0)", "WorkflowImportError", ["flow.py", "SIGSEGV"]),
    "an exit behind Python's back": ("import os\nos._exit(7)", "WorkflowImportError", ["flow.py", "exit code 7"]),
    "a closed pipe": ("import os\nos.closerange(3, 99)\nwhile True: pass", "WorkflowImportError", ["flow.py"]),
}


@pytest.mark.parametrize("what", WRONG)
async def test_a_file_with_something_wrong_is_answered_with_what_and_where(workshop, what):
    text, kind, words = WRONG[what]
    failed = await workshop.try_make(HEAD + text + "\n")
    assert isinstance(failed, Failed)
    assert failed.error["type"] == kind
    assert [word for word in words if word not in failed.error["message"]] == [], failed.error["message"]
    good = await workshop.make(HEAD + "d = Dag('d', schema={PythonTask('a'): None})\n")
    assert good.spec.name == "flow"


async def test_the_crash_of_an_import_shows_the_users_line(workshop):
    failed = await workshop.try_make("x = 1\nimport ctypes\nctypes.string_at(0)\n")
    assert isinstance(failed, Failed)
    assert 'flow.py", line 3' in failed.error["traceback"]


@pytest.mark.parametrize("body", ["import time\ntime.sleep(1000)", "import ctypes\nctypes.PyDLL(None).sleep(1000)"])
async def test_a_load_that_takes_too_long_is_ended(workshop, slots, body):
    workshop._maker = maker = Maker(slots, limit=0.2)
    failed = await workshop.try_make(body + "\n")
    await maker.close()
    assert isinstance(failed, Failed)
    assert "took more than 0.2 s" in failed.error["message"]
    if "time" in body:
        assert "line 2: time.sleep(1000)" in failed.error["message"]


async def test_a_process_that_a_file_starts_ends_before_the_next_load(workshop, maker, folder, is_alive):
    text = HEAD + (
        "import subprocess\nfrom pathlib import Path\n"
        "pid = subprocess.Popen(['sleep', '1000'], start_new_session=True).pid\n"
        f"Path('{folder}/pid').write_text(str(pid))\nd = Dag('d', schema={{PythonTask('a'): None}})\n"
    )
    await workshop.make(text)
    maker.prepare()
    await maker._next
    assert not is_alive(int((folder / "pid").read_text()))


async def test_a_load_that_waited_forked_may_have_died(workshop, maker):
    await workshop.make(GOOD)
    maker.prepare()
    child = await maker._next
    os.kill(child.pid, 9)
    await child._guard.ended(child.pid)
    await workshop.make(GOOD)


REHEARSAL = """
import random, signal, sys
from pathlib import Path
from cloudpickle import cloudpickle
from lightflow_task_worker.child import load, roles

def traces():
    pickles = cloudpickle._PICKLE_BY_VALUE_MODULES, dict(cloudpickle._DYNAMIC_CLASS_TRACKER_BY_ID)
    timer = signal.getitimer(signal.ITIMER_REAL), signal.getsignal(signal.SIGALRM)
    chance = random.getstate(), cloudpickle._get_or_create_tracker_id
    return repr([sys.path, sorted(sys.modules), pickles, timer, chance])

before, modules = traces(), set(sys.modules)
answer = load.rehearse()
print(before == traces(), [shard["dag"] for shard in answer["shards"]])
file = Path(load.__file__).with_name("rehearsal.py")
load._load({"file": str(file), "name": "rehearsal", "libraries": []})
print(sorted(sys.modules.keys() - modules))
"""


def test_a_rehearsal_is_a_whole_load_and_leaves_no_trace():
    told = subprocess.run([sys.executable, "-c", REHEARSAL], capture_output=True, text=True, check=True)
    assert told.stdout.splitlines() == ["True ['main']", "['rehearsal']"], "no module may be imported twice"
