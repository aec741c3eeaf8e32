"""The quickstart and the tutorial as they are printed: a redis and a MongoDB, a worker, a second terminal.

Only the two ports differ from the pages, and only where others use those already.
"""

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from tests.e2e.terminal import PATIENCE, Terminal

from lightflow.config import Config
from lightflow.core.errors import NoControlService, WorkflowArgumentError, WorkflowDefinitionError, WorkflowImportError
from lightflow.local.stack.binaries import Binary, find_mongod, find_redis
from lightflow.queue import JobEventName, JobStatus, JobType
from lightflow.workers import list_workers, start_worker, stop_worker
from lightflow.workflows import events, list_jobs, list_workflows, start_workflow, stop_workflow

TUTORIAL01 = '''\
""" Tutorial 1: a sequence of two tasks

This workflow uses two tasks in order to demonstrate
the basics of a workflow definition in Lightflow.
"""
from lightflow.models import Dag
from lightflow.tasks import PythonTask


# the callback functions for the task
def print_first(data, store, signal, context):
    print('This is the first task')

def print_second(data, store, signal, context):
    print('This is the second task')


# create the two task objects
first_task = PythonTask(name='first_task',
                        callback=print_first)

second_task = PythonTask(name='second_task',
                         callback=print_second)

# create the main DAG
d = Dag('main_dag')

# set up the graph of the DAG, in which the first_task has
# to be executed first, followed by the second_task.
d.define({
    first_task: second_task
})
'''

WAITING = '''\
"""Waits until it is stopped."""
from lightflow.models import Dag, Option, Parameters
from lightflow.tasks import PythonTask

parameters = Parameters([Option('days', type=int)])

def wait(data, store, signal, context):
    print('waiting for', store.get('days'), 'days', flush=True)
    while not signal.is_stopped:
        pass

main = Dag('main', schema={PythonTask('wait', wait): PythonTask('after')})
'''

WORKER = """
from lightflow.config import Config
from lightflow.workers import start_worker
queues = ["workflow", "dag", "task"]
start_worker(queues, Config.from_file("lightflow.cfg"), name="one", celery_args=["-c", "2"])
print("over")
"""

CYCLE = """\
from lightflow.models import Dag
from lightflow.tasks import PythonTask
a, b = PythonTask('a'), PythonTask('b')
main = Dag('main', schema={a: b, b: a})
"""


def free_port(wanted: int) -> int:
    """The port of the pages where nobody uses it, else another."""
    for port in (wanted, 0):
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return int(probe.getsockname()[1])
    raise AssertionError("there is no free port")


@contextmanager
def running(binary: Binary, *arguments: str, port: int) -> Iterator[None]:
    """A server, from when it answers on its port."""
    environment = {**os.environ, **binary.environment, "LC_ALL": "C"}
    command = [str(binary.path), *arguments, "--port", str(port)]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + PATIENCE
        while True:
            with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            assert process.poll() is None, "the server has ended"
            assert time.monotonic() < deadline, "the server does not answer"
        yield
    finally:
        process.terminate()
        process.wait()


@pytest.fixture(scope="module")
def ports(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, int]]:
    """The ports of a redis and a MongoDB."""
    folder = tmp_path_factory.mktemp("servers")
    redis, mongod = free_port(6379), free_port(27017)
    with (
        running(find_redis(), "--save", "", "--bind", "127.0.0.1", "--dir", str(folder), port=redis),
        running(
            find_mongod(folder / "libraries"), "--dbpath", str(folder), "--bind_ip", "127.0.0.1", "--nounixsocket",
            "--quiet", port=mongod,
        ),
    ):  # fmt: skip
        yield redis, mongod


@pytest.fixture
def terminal(tmp_path: Path, ports: tuple[int, int], request: pytest.FixtureRequest) -> Terminal:
    """A terminal in an empty folder, with the configuration that the pages let one write."""
    terminal = Terminal(tmp_path)
    terminal.type("lightflow config default .")
    redis, mongod = ports
    config = tmp_path / "lightflow.cfg"
    text = config.read_text().replace("port: 6379", f"port: {redis}").replace("localhost:6379", f"localhost:{redis}")
    # A database for each test, so that none meets the runs of another.
    database = f"lightflow-{request.node.name[:30]}"
    text = text.replace("port: 27017", f"port: {mongod}").replace("database: lightflow", f"database: {database}")
    config.write_text(text)
    return terminal


def test_the_quickstart(terminal: Terminal) -> None:
    terminal.type("lightflow config examples .")
    names = [line.split()[0] for line in terminal.type("lightflow workflow list").splitlines()]
    assert names == sorted(file.stem for file in (terminal.folder / "examples").glob("*.py"))
    assert "simple" in names
    with terminal.leave_running("lightflow worker start") as worker:
        worker.until(r"Worker worker serves workflow, dag, task")
        assert re.fullmatch(r"[0-9a-f]{24}\n", terminal.type("lightflow workflow start simple"))
        worker.until(r"main:1/report \| \(succeeded\)")


def test_the_recommended_setup_of_several_workers(terminal: Terminal) -> None:
    terminal.type("lightflow config examples .")
    with (
        terminal.leave_running("lightflow worker start -q workflow,dag") as manager,
        terminal.leave_running("lightflow worker start -q task --concurrency=1") as executor,
    ):
        manager.until(r"Worker \S+ serves workflow, dag\.")
        executor.until(r"Worker \S+ serves task\.")
        terminal.type("lightflow workflow start simple")
        executor.until(r"main:1/report \| \(succeeded\)")
        assert "report" not in manager.text
        rows = [line.split() for line in terminal.type("lightflow worker status").splitlines()[1:]]
        assert [row[0].partition("@")[0] for row in rows] == ["worker", "worker-2"]


def test_the_tutorial(terminal: Terminal) -> None:
    config = terminal.folder / "lightflow.cfg"
    config.write_text(config.read_text().replace("  - ./examples", "  - ./tutorial"))
    (terminal.folder / "tutorial").mkdir()
    (terminal.folder / "tutorial" / "tutorial01.py").write_text(TUTORIAL01)
    listed = terminal.type("lightflow workflow list")
    assert listed == "tutorial01      Tutorial 1: a sequence of two tasks\n"
    with terminal.leave_running("lightflow worker start") as worker:
        worker.until("Ctrl-C stops it")
        terminal.type("lightflow workflow start tutorial01")
        worker.until(r"(?s)This is the first task.*This is the second task")


def test_the_python_functions_speak_to_what_the_configuration_names(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in os.environ if name.startswith("LIGHTFLOW_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(terminal.folder)
    folder = terminal.folder / "examples"
    folder.mkdir()
    (folder / "waiting.py").write_text(WAITING)
    (folder / "cycle.py").write_text(CYCLE)
    config = Config.from_file("lightflow.cfg")
    assert [(found.name, bool(found.error)) for found in list_workflows(config)] == [
        ("cycle", True),
        ("waiting", False),
    ]
    with terminal.running([sys.executable, "-c", WORKER]) as worker:
        until_it_serves(config)
        with pytest.raises(WorkflowArgumentError, match="days"):
            start_workflow("waiting", config)
        with pytest.raises(WorkflowImportError, match="nowhere"):
            start_workflow("nowhere", config)
        with pytest.raises(WorkflowDefinitionError, match="cycle"):
            start_workflow("cycle", config)
        run = start_workflow("waiting", config, store_args={"days": "3"})
        happened = events(config)
        worker.until("waiting for 3 days")

        (one,) = list_workers(config)
        assert [queue.name for queue in one.queues] == ["dag", "task", "workflow"]
        assert (one.name.partition("@")[0], one.concurrency) == ("one", 2)
        assert list_workers(config, filter_by_queues="gpu") == []
        jobs = list_jobs(config)
        assert [(job.type, job.name) for job in jobs] == [("workflow", "waiting"), ("dag", "main:1"), ("task", "wait")]
        assert {(job.workflow_id, job.worker_name) for job in jobs} == {(run, one.name)}
        assert {job.worker_pid for job in jobs} <= {one.pid, *one.process_pids}
        assert [job.name for job in list_jobs(config, filter_by_type=[JobType.Task])] == ["wait"]
        assert list_jobs(config, filter_by_worker="two") == []
        assert [job.name for job in list_jobs(config, status=JobStatus.Scheduled)] == ["after"]

        stopped, failed = stop_workflow(config, names=["waiting"])
        assert ([job.id for job in stopped], failed) == ([run], [])
        end = next(event for event in happened if event.type == JobType.Workflow and event.duration is not None)
        assert (end.event, end.workflow_id, end.name) == (JobEventName.Stopped, run, "waiting")
        assert [worker.name for worker in stop_worker(config)] == [one.name]
        worker.end()
        assert worker.text.endswith("over\n")


def until_it_serves(config: Config) -> None:
    """Wait until the worker `one` serves all queues; before that, another system may answer at the default port."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        with suppress(NoControlService):
            found = {worker.name.partition("@")[0]: len(worker.queues) for worker in list_workers(config)}
            if found == {"one": 3}:
                return
    raise AssertionError("no worker serves the queues")


def test_a_worker_of_a_program_refuses_what_means_nothing(terminal: Terminal) -> None:
    config = Config.from_file(str(terminal.folder / "lightflow.cfg"))
    with pytest.raises(RuntimeError, match="--pool"):
        start_worker(["task"], config, celery_args=["--pool=solo"])
