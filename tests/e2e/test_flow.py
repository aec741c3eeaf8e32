"""The commands of `lightflow` that speak to a system, as they are typed one after the other."""

from pathlib import Path

from tests.e2e.support import PATIENCE, write_workflow
from tests.e2e.terminal import Terminal

from lightflow.client import Client
from lightflow.config import Config
from lightflow.local.stack import Stack
from lightflow.models import DataStore
from lightflow.runtime.mongo import store_uri

WAITS = """
    parameters = Parameters([Option("days", type=int)])

    def wait(data, store, signal, context):
        print("waiting")
        while not signal.is_stopped:
            pass

    main = Dag("main", schema={PythonTask("waits", wait): PythonTask("follows")})
"""


def test_a_workflow_is_started_seen_and_stopped(stack: Stack, client: Client, flows: Path, tmp_path: Path) -> None:
    config = Config.from_file(stack.info.config)
    write_workflow(flows, "flow_waits", WAITS)
    terminal = Terminal(tmp_path, {"LIGHTFLOW_CONFIG": str(stack.info.config), "LIGHTFLOW_TARGET": stack.target})
    run_id = terminal.type("lightflow workflow start -q nightly -k flow_waits days=3 a.b=c").strip()
    run = client.run(run_id)
    assert next(line.text for line in run.logs(follow=True)) == "waiting"

    (row,) = [line.split() for line in terminal.type("lightflow workflow status").splitlines() if run_id in line]
    assert row[:3] == [run_id, "flow_waits", "running"]
    details = terminal.type("lightflow workflow status -d")
    assert "a.b=c days=3" in details
    assert "waits" in details
    assert len(terminal.type("lightflow worker status -f nightly").splitlines()) == 2  # with the line of titles
    assert "graphics, task" in terminal.type("lightflow worker status -f graphics -d")

    terminal.type("lightflow workflow stop --yes flow_waits")
    assert run.wait(PATIENCE) == "stopped"
    assert run_id not in terminal.type("lightflow workflow status")
    with DataStore(store_uri(config), 27017, config.data_store["database"]) as store:
        document = store.get(run_id)
        assert document is not None
        assert (document.get("days"), document.get("a")) == (3, {"b": "c"})
