"""What `make test-compose` does to a system of containers: load, kills, cut networks, other releases, and the end."""

import shutil
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from tests.compose.project import ROOT, SERVICES, TAG, Project, build, docker, until
from tests.e2e.test_examples import EXAMPLES, Example

from lightflow.client import Client, Run
from lightflow.runtime.rpc.client import ControlClient

NEXT = "test-next"
"""The tag of the release that comes after this one."""

EACH = ("redis", "mongo", "control", *SERVICES)
RUNS = 100

FLOW = '''
"""A chain and a fan, each task taking its time."""
import time

from lightflow.models import Dag
from lightflow.tasks import PythonTask


def work(data, store, signal, context):
    time.sleep({seconds})
    store.push("done", context.task_name)


first = PythonTask("first", work)
main = Dag("main")
main.define({{first: {{PythonTask(f"part-{{n}}", work): None for n in range({width})}}}})
'''


def write_flow(project: Project, name: str, *, seconds: float, width: int) -> None:
    (project.flows / f"{name}.py").write_text(FLOW.format(seconds=seconds, width=width))


@contextmanager
def in_flight(project: Project, count: int, *, seconds: float = 0.3, width: int = 2) -> Iterator[list[str]]:
    """Runs that were accepted and go on while the block lasts; after it each of them must succeed, whole."""
    write_flow(project, "steady", seconds=seconds, width=width)
    ids = start(project, count)
    yield ids
    finish(project, ids, width=width)


def start(project: Project, count: int) -> list[str]:
    with Client(project.target) as client:
        return [client.start("steady").id for _ in range(count)]


def finish(project: Project, ids: list[str], *, width: int = 2) -> None:
    """Wait for the end of the runs: each has succeeded, and every task of it once."""
    tasks = sorted(["first", *(f"part-{number}" for number in range(width))])
    for id_ in ids:
        run = patiently(project, id_)
        assert run.state == "succeeded", f"{id_}: {run.state} {run.error}"
        assert outcomes(project, id_) == dict.fromkeys(tasks, "succeeded")


def patiently(project: Project, id_: str) -> Run:
    """The run at its end, however often it has to be asked for."""
    with Client(project.target) as client:
        run = client.run(id_)
        run.wait(240)
        return run


def outcomes(project: Project, id_: str) -> dict[str, str]:
    with ControlClient(project.target) as control:
        return {task.name: task.state for task in control.list_tasks(id_)}


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda each: " ".join((each.name, *each.arguments)))
def test_every_example_runs(client: Client, example: Example) -> None:
    arguments = dict(argument.split("=", 1) for argument in example.arguments)
    assert client.start(example.name, **arguments).wait(60) == example.state


def test_more_workers_do_more(project: Project, client: Client) -> None:
    write_flow(project, "wide", seconds=0.5, width=96)
    took = {}
    for workers in (1, 3):
        project.scale["task-worker"] = workers
        project.up()
        client.start("wide").wait(120)  # children are forked and the code is loaded
        began = time.monotonic()
        assert client.start("wide").wait(120) == "succeeded"
        took[workers] = time.monotonic() - began
    print(f"97 tasks of 0.5 s: {took[1]:.1f} s with one worker, {took[3]:.1f} s with three")
    assert took[1] > 1.5 * took[3]
    with ControlClient(project.target) as control:
        assert len({task.worker for task in control.list_tasks(next(client.runs(workflow="wide")).id)}) == 3


def test_replicas_of_each_service_share_the_work(project: Project) -> None:
    project.scale |= {"scheduler": 2, "dag-runner": 2}
    project.up()
    with in_flight(project, 20):
        for service in ("scheduler", "dag-runner"):
            docker("stop", project.containers(service)[0])
    project.up()


@pytest.mark.parametrize("service", EACH)
def test_whatever_is_killed_and_started_again_nothing_is_lost(project: Project, service: str) -> None:
    with in_flight(project, 20):
        for container in project.containers(service):
            docker("kill", "--signal", "KILL", container)
            docker("start", container)
        project.until_healthy()


@pytest.mark.parametrize("service", EACH)
def test_whichever_link_is_cut_and_healed_nothing_is_lost(project: Project, service: str) -> None:
    network = f"{project.name}_default"
    with in_flight(project, 20):
        cut = project.containers(service)
        for container in cut:
            docker("network", "disconnect", network, container)
        concerned = (
            cut if service in SERVICES else project.containers("scheduler" if service == "control" else "dag-runner")
        )
        if service != "control":
            until(lambda: not any(map(project.is_healthy, concerned)))
        for container in cut:
            docker("network", "connect", "--alias", service, network, container)
        project.until_healthy()


@pytest.fixture(scope="module")
def next_release(images: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Images of this release as the next one will be: it writes another schema, in documents and in hints."""
    source = tmp_path_factory.mktemp("next")
    names = ("pyproject.toml", "uv.lock", "README.md", ".dockerignore", "libs", "services")
    tracked = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", *names], cwd=ROOT, capture_output=True, text=True, check=True
    )
    for name in filter(lambda name: (ROOT / name).is_file(), tracked.stdout.splitlines()):
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, source / name)
    for module in ("mongo", "hints"):
        file = source / f"libs/lightflow-common/src/lightflow/runtime/{module}.py"
        text = file.read_text()
        assert "\nSCHEMA = 1\n" in text
        file.write_text(text.replace("\nSCHEMA = 1\n", "\nSCHEMA = 2\n"))
    build(NEXT, source)
    yield
    for service in SERVICES:
        docker("rmi", f"lightflow-{service}:{NEXT}", check=False)


def roll(project: Project, tag: str) -> None:
    """One service after the other, as the documentation says: those that write what others read come last."""
    for service in ("task-worker", "dag-runner", "scheduler"):
        project.up(service, tag=tag, alone=True)


def schemas(project: Project, ids: list[str]) -> Counter[int]:
    """How many of these runs were written by which release."""
    quoted = ",".join(f"'{one}'" for one in ids)
    ask = f"db.getSiblingDB('lightflow').runs.find({{_id: {{$in: [{quoted}]}}}}).forEach(run => print(run.schema))"
    secret = (project.folder / "secrets/mongo_root_password").read_text()
    login = ("-u", "root", "-p", secret, "--authenticationDatabase", "admin")
    (mongo,) = project.containers("mongo")
    return Counter(map(int, docker("exec", mongo, "mongosh", "--quiet", "--norc", *login, "--eval", ask).split()))


def test_a_release_follows_another_and_goes_back_while_runs_are_in_flight(project: Project, next_release: None) -> None:
    with in_flight(project, RUNS) as of_old:
        roll(project, NEXT)
        of_new = start(project, 20)
    finish(project, of_new)
    assert (set(schemas(project, of_old)), set(schemas(project, of_new))) == ({1}, {2})

    with in_flight(project, RUNS) as written_by_new:
        roll(project, TAG)
        # What is newer than this release is left alone; its own work goes on.
        finish(project, start(project, 20))
        assert set(schemas(project, written_by_new)) == {2}
        roll(project, NEXT)
    roll(project, TAG)


def test_a_system_that_is_stopped_goes_on_where_it_was(project: Project) -> None:
    with in_flight(project, RUNS):
        project.compose("stop")
        states = [project.inspect(one)["State"] for one in project.containers()]
        assert not any(state["Running"] for state in states)
        assert not any(state["OOMKilled"] for state in states)
        project.up()
