"""What one attempt does to its process is never seen by the next one, though both run in one child."""

import os
import pickle
from dataclasses import replace

import pytest

from lightflow.core.outcomes import Ending
from lightflow_task_worker.slot import Input


def ignore(_: bytes) -> None:
    pass


async def twice(slot, workshop, calls, body, *, before=""):
    """The data under "seen" of two attempts that ran in one child."""
    job = await workshop.task(body, before=before)
    seen, pids = [], set()
    for _ in range(2):
        result = await slot.run(job, calls, ignore)
        assert result.outcome.ending is Ending.SUCCEEDED, result.outcome
        seen.append(pickle.loads(result.output)["seen"])
        pids.add(slot.child_pid)
    assert len(pids) == 1, "the child was not reused"
    return seen


async def test_globals_of_the_file_begin_anew(slot, workshop, calls):
    body = "global count\ncount += 1\nitems.append(count)\ndata['seen'] = (count, list(items))"
    assert await twice(slot, workshop, calls, body, before="count, items = 0, []") == [(1, [1]), (1, [1])]


async def test_attributes_of_its_classes_begin_anew(slot, workshop, calls):
    body = "Point.made += 1\ndata['seen'] = Point.made"
    assert await twice(slot, workshop, calls, body, before="class Point:\n    made = 0") == [1, 1]


async def test_data_brings_no_class_attributes_along_and_is_of_the_tasks_own_class(slot, workshop, calls):
    before = "class Point:\n    made = 0"
    body = "data['seen'] = (Point.made, 'p' in data and isinstance(data['p'], Point))\n"
    body += "Point.made += 1\ndata['p'] = Point()"
    job = await workshop.task(body, before=before)
    output = (await slot.run(job, calls, ignore)).output
    again = replace(job, inputs=(Input("work", (), output),))
    assert pickle.loads((await slot.run(again, calls, ignore)).output)["seen"] == (0, True)


@pytest.mark.parametrize(
    "draw",
    [
        "from random import random as draw",
        "from functools import partial; from random import uniform; draw = partial(uniform, 0, 1)",
        "from functools import partial; from secrets import choice; draw = partial(choice, range(10**9))",
        "from numpy.random import rand as draw",
    ],
)
async def test_functions_of_the_hidden_random_generators_draw_on(slot, workshop, calls, draw):
    first, second = await twice(slot, workshop, calls, "data['seen'] = draw()", before=draw)
    assert first != second


async def test_the_module_of_the_file_begins_anew(slot, workshop, calls):
    before = "import importlib\ncount = 0"
    body = "importlib.import_module(__name__).count += 1\ndata['seen'] = count"
    assert await twice(slot, workshop, calls, body, before=before) == [1, 1]


async def test_pools_of_processes_know_the_functions_of_the_file(slot, workshop, calls):
    before = "from multiprocessing import get_context\ndef double(n):\n    return 2 * n"
    body = "with get_context('fork').Pool(1) as pool:\n    data['seen'] = pool.map(double, [1, 2])"
    result = await slot.run(await workshop.task(body, before=before), calls, ignore)
    assert pickle.loads(result.output)["seen"] == [2, 4]


CHANGES = {
    "the current folder": ("data['seen'] = os.getcwd()", "os.chdir('/')"),
    "the environment": ("data['seen'] = dict(os.environ)", "os.environ['X'] = '1'; os.environ.pop('PATH')"),
    "the environment, as C code sees it": (
        "data['seen'] = subprocess.check_output(['/bin/sh', '-c', 'echo $X'])",
        "os.environ['X'] = '1'",
    ),
    "sys.path": ("data['seen'] = list(sys.path)", "sys.path.insert(0, '/nowhere')"),
    "the umask": ("data['seen'] = (u := os.umask(0o22), os.umask(u))[0]", "os.umask(0o77)"),
    "signal handlers": (
        "data['seen'] = [str(signals.getsignal(n)) for n in (signals.SIGTERM, signals.SIGINT, signals.SIGALRM)]",
        "[signals.signal(n, signals.SIG_IGN) for n in (signals.SIGTERM, signals.SIGINT, signals.SIGALRM)]",
    ),
    "the level of logging": ("data['seen'] = logging.root.level", "logging.root.setLevel(50)"),
    "handlers of logging": ("data['seen'] = len(logging.root.handlers)", "logging.root.handlers.clear()"),
}


@pytest.mark.parametrize("what", CHANGES)
async def test_the_surroundings_are_put_back(slot, workshop, calls, what):
    look, change = CHANGES[what]
    first, second = await twice(slot, workshop, calls, f"{look}\n{change}", before="import logging")
    assert first == second


@pytest.mark.parametrize(
    "change",
    [
        "sys.stdout = sys.stderr = open(os.devnull, 'w')",
        "sys.stdout.close(); sys.stderr.close()",
        "os.dup2(os.open(os.devnull, os.O_WRONLY), 1); os.dup2(1, 2)",
        "os.close(1); os.close(2)",
        "sys.stdout.detach()",
    ],
)
async def test_the_next_attempt_can_print_whatever_was_done_to_the_streams(slot, workshop, calls, change, written):
    job = await workshop.task(f"print('begun')\n{change}")
    for _ in range(2):
        written.clear()
        await slot.run(job, calls, written.append)
        assert b"".join(written) == b"begun\n"


@pytest.mark.parametrize(
    "leave",
    [
        "threading.Thread(target=time.sleep, args=(1000,), daemon=True).start()",
        "data['pid'] = subprocess.Popen(['sleep', '1000']).pid",
        "data['pid'] = int(subprocess.check_output('setsid sleep 1000 >/dev/null 2>&1 & echo $!', shell=True))",
    ],
)
async def test_a_child_with_threads_or_processes_left_is_replaced_and_they_end(slot, workshop, calls, is_alive, leave):
    result = await slot.run(await workshop.task(leave), calls, ignore)
    assert result.outcome.ending is Ending.SUCCEEDED
    assert slot.child_pid is None
    pid = pickle.loads(result.output).get("pid")
    assert pid is None or not is_alive(pid)


@pytest.mark.parametrize(
    "change",
    [
        "sys.modules.pop('json')",
        "resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))",
        "os.nice(1)",
        "os.setegid(os.getegid() or 65534)",
    ],
)
async def test_a_child_that_is_changed_for_good_is_replaced(slot, workshop, calls, change):
    if "setegid" in change and os.geteuid() != 0:
        pytest.skip("only root may become somebody else")
    job = await workshop.task(change, before="import resource, sys")
    assert (await slot.run(job, calls, ignore)).outcome.ending is Ending.SUCCEEDED
    assert slot.child_pid is None
