"""What a large value costs the processes that it passes through."""

import re
from collections.abc import Callable
from pathlib import Path

from tests.e2e.support import seen

from lightflow.client import Client
from lightflow.local.stack import Stack

SIZE = 50_000_000
FLOW = f"""
    import os
    import re
    from pathlib import Path

    SIZE = {SIZE}

    def forget():
        Path("/proc/self/clear_refs").write_text("5")

    def tell(what):
        most = re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]
        print(what, int(most) * 1024 // SIZE)

    def give(data, store, signal, context):
        forget()
        data["value"] = os.urandom(SIZE)

    def take(data, store, signal, context):
        value = data["value"]
        tell("data")
        forget()
        store.set("value", value)
        store.push("list", value)
        print(store.get("value") == value, store.get("list") == [value])
        tell("store")

    main = Dag("main", schema={{PythonTask("gives", give): PythonTask("takes", take)}})
"""


def memory(pid: int, what: str) -> int:
    found = re.search(rf"{what}:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    assert found is not None
    return int(found[1]) * 1024


def test_a_large_value_takes_a_few_times_its_size_and_no_more(
    client: Client, stack: Stack, workflow_file: Callable[..., Path]
) -> None:
    worker = next(process.pid for process in stack.info.processes if process.name == "task-worker")
    assert worker is not None
    before = memory(worker, "VmRSS")
    Path(f"/proc/{worker}/clear_refs").write_text("5")
    end = seen(client, client.start(workflow_file("large", FLOW)))
    assert end.state == "succeeded", end.error
    printed = dict(line.split() for line in end.printed["takes"])
    assert printed.pop("True") == "True"
    assert {what: int(times) < 6 for what, times in printed.items()} == {"data": True, "store": True}, printed
    assert (memory(worker, "VmHWM") - before) / SIZE < 6
