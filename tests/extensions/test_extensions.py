"""Packages of each of the three kinds, written as people wrote them for Lightflow 1, on one system."""

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.e2e.terminal import Shown, Terminal

import lightflow.local
from lightflow.local.stack import Servers

PACKAGES = Path(__file__).parent / "packages"

CONFIG = """
workflows: [./flows]
celery: {{broker_url: '{servers.broker_url}'}}
signal: {{uri: '{servers.redis_url}'}}
store: {{uri: '{servers.mongo_uri}', database: lightflow-extensions}}
extensions:
  http: {{port: 0}}
  report: {{reader: you}}
"""

POLITE = '''\
""" Make a letter polite

The rest of the docstring.
"""
from lightflow.models import Dag, Option, Parameters
from lightflow.tasks import PythonTask
from lightflow_text import ReplaceTask

parameters = Parameters([
    Option('letter', help='The file to work on', type=str),
    Option('word', default='!', help='What is impolite', type=str)
])


def count(number, data, store, signal, context):
    data['count'] = data.get_by_index(0).get('count', 0) + number


def show(data, store, signal, context):
    print('replaced', data['count'], 'times')


word_task = ReplaceTask('word_task', path=lambda data, store: store.get('letter'),
                        old=lambda data, data_store: data_store.get('word'), new='.', callback=count)
again_task = ReplaceTask('again_task', lambda data, data_store: data_store.get('letter'), 'Hey', 'Hello',
                         callback=count, queue='task')

d = Dag('main_dag')
d.define({word_task: again_task, again_task: PythonTask(name='show_task', callback=show)})
'''

WAITING = '''\
""" Wait until it is stopped """
from lightflow.models import Dag
from lightflow.tasks import PythonTask


def wait(data, store, signal, context):
    print('waiting', flush=True)
    while not signal.is_stopped:
        pass


d = Dag('main_dag')
d.define({PythonTask(name='wait_task', callback=wait): None})
'''


@pytest.fixture(scope="module")
def terminal(tmp_path_factory: pytest.TempPathFactory, servers: Servers) -> Terminal:
    """A terminal of somebody who has the packages."""
    folder = tmp_path_factory.mktemp("extensions")
    (folder / "flows").mkdir()
    (folder / "flows" / "polite.py").write_text(POLITE)
    (folder / "flows" / "waiting.py").write_text(WAITING)
    (folder / "lightflow.cfg").write_text(CONFIG.format(servers=servers))
    return Terminal(folder, {"PYTHONPATH": str(PACKAGES)})


@pytest.fixture(scope="module")
def worker(terminal: Terminal) -> Iterator[Shown]:
    """One worker for everything."""
    with terminal.leave_running("lightflow worker start") as shown:
        shown.until("Ctrl-C stops it")
        yield shown


@pytest.fixture
def letter(tmp_path: Path) -> Path:
    """A file to work on."""
    file = tmp_path / "letter.txt"
    file.write_text("Hey you! Hey there!")
    return file


def test_a_task_type_of_a_package_runs_in_a_worker(terminal: Terminal, worker: Shown, letter: Path) -> None:
    terminal.type(f"lightflow workflow start polite letter={letter}")
    worker.until("replaced 4 times")
    assert letter.read_text() == "Hello you. Hello there."
    worker.until("Replaced in letter.txt by again_task of main_dag:1")


def test_a_task_type_of_a_package_runs_in_this_process(
    terminal: Terminal, letter: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(PACKAGES)
    result = lightflow.local.run(terminal.folder / "flows" / "polite.py", letter=str(letter), word="there")
    assert result.data("show_task")["count"] == 3
    assert letter.read_text() == "Hello you! Hello .!"


def test_a_package_serves_workflows_over_http(terminal: Terminal, worker: Shown) -> None:
    with terminal.leave_running("python -m lightflow_http") as server:
        address = "http://127.0.0.1:" + server.until(r"Listening on port (\d+)")[1]
        polite = {
            "name": "polite",
            "docs": "Make a letter polite",
            "parameters": {"letter": "str", "word": "str"},
        }
        assert polite in ask("GET", f"{address}/workflows")
        assert "'letter'" in refused("POST", f"{address}/polite")
        assert "'nowhere'" in refused("POST", f"{address}/nowhere")

        run = ask("POST", f"{address}/waiting")["id"]
        worker.until("waiting")
        active = ask("GET", f"{address}/active")
        assert [(job["id"], job["name"]) for job in active["workflow"]] == [(run, "waiting")]
        assert [(job["workflow_id"], job["name"]) for job in active["task"]] == [(run, "wait_task")]
        (one,) = ask("GET", f"{address}/workers")
        assert (one["jobs"], one["broker"]["transport"]) == (3, "redis")
        assert ask("DELETE", f"{address}/waiting") == {"stopped": [run], "failed": []}
        worker.until(r"wait_task \| \(succeeded\)")


@pytest.mark.usefixtures("worker")
def test_a_package_is_run_by_the_command(terminal: Terminal) -> None:
    assert terminal.type("lightflow -c lightflow.cfg ext report --title Inventory").splitlines() == [
        "Inventory of Lightflow 2.0.0 for you",
        "workflows: polite waiting",
        "queues: dag task workflow",
    ]


def ask(method: str, address: str) -> object:
    with urllib.request.urlopen(urllib.request.Request(address, method=method)) as answer:
        return json.load(answer)


def refused(method: str, address: str) -> str:
    """What the server says about a request that it does not grant."""
    with pytest.raises(urllib.error.HTTPError) as caught:
        ask(method, address)
    with caught.value:
        return str(json.load(caught.value)["error"])
