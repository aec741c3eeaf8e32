"""Bash tasks on the real system: their streams, their surroundings, and that nothing of them outlives them."""

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.e2e.support import PATIENCE, gone, seen

from lightflow.client import Client
from lightflow.core.states import State

WriteWorkflow = Callable[..., Path]

STREAMS = """
    import os

    counts = {"out": 0, "err": 0}

    def count(stream):
        def add(line, data, store, signal, context):
            counts[stream] += len(line)
        return add

    def end_both(returncode, out, err, data, store, signal, context):
        print(returncode, len(out.read()), len(err.read()), min(counts.values()) > 0)

    def end(returncode, out, err, data, store, signal, context):
        print(returncode, out and out.read(), err and err.read())

    def size(line, data, store, signal, context):
        print(len(line))

    def refuse(returncode, out, err, data, store, signal, context):
        raise ValueError(f"code {returncode}")

    def value(data, store):
        return data["given"]

    tasks = [
        BashTask(
            "both", "head -c 5000000 /dev/urandom & head -c 5000000 /dev/urandom >&2; wait",
            capture_stdout=True, capture_stderr=True, callback_end=end_both,
            callback_stdout=count("out"), callback_stderr=count("err"),
        ),
        BashTask("no_newline", "head -c 3000000 /dev/zero | tr '\\\\0' x", callback_stdout=size),
        BashTask("closes", "exec >&- 2>&-; sleep 0.05; exit 4", capture_stdout=True, callback_end=end),
        BashTask("late", "(sleep 0.05; echo late) & echo now", capture_stdout=True, callback_end=end),
        BashTask("reads", "wc -c", stdin=lambda data, store: b"\\xff" * 8_000_000, capture_stdout=True,
                 callback_end=end),
        BashTask(
            "surroundings", lambda data, store: f"pwd; echo $WORD {data['word']}", cwd=lambda data, store: data["cwd"],
            env=lambda data, store: {"WORD": store.get("word")}, stdin=lambda data, store: None,
            capture_stdout=lambda data, store: True, capture_stderr=lambda data, store: False,
            refresh_time=lambda data, store: 1, user=lambda data, store: os.geteuid(),
            group=lambda data, store: os.getegid(), callback_end=end,
        ),
    ]

    def begin(data, store, signal, context):
        store.set("word", "from-store")
        data["word"], data["cwd"] = "from-data", "/"

    main = Dag("main")
    refuses = BashTask("refuses", "exit 3", callback_end=refuse, retries=1)
    main.define({PythonTask("begins", begin): tasks, **dict.fromkeys(tasks, refuses)})
"""


def test_streams_and_surroundings_are_as_the_command_was_promised(client: Client, workflow_file: WriteWorkflow) -> None:
    end = seen(client, client.start(workflow_file("streams", STREAMS)))
    expected = {
        "both": ["0 5000000 5000000 True"],
        "no_newline": ["3000000"],
        "closes": ["4 b'' None"],
        "late": ["0 b'now\\nlate\\n' None"],
        "reads": ["0 b'8000000\\n' None"],
        "surroundings": ["0 b'/\\nfrom-store from-data\\n' None"],
    }
    assert {task: end.printed.get(task) for task in expected} == expected
    assert (end.error, end.attempts["main:1"]["refuses"]) == (("ValueError", "code 3"), 2)


PROCESSES = 4
WAYS = {
    "stop": ("; wait", "", State.STOPPED, ["-15 True", "Success"]),
    "timeout": ("; wait", "timeout=2.0", State.FAILED, ["Error"]),
    "end": ("", "", State.SUCCEEDED, ["0 False", "Success"]),
}


@pytest.mark.parametrize("way", WAYS)
def test_however_a_command_ends_all_that_it_started_ends_with_it(
    client: Client, workflow_file: WriteWorkflow, way: str
) -> None:
    more, option, state, printed = WAYS[way]
    body = f"""
    def tell(line, data, store, signal, context):
        print(line, end="")

    def end(returncode, out, err, data, store, signal, context):
        print(returncode, signal.is_stopped)

    def ended(status, data, store, signal, context):
        print(status.name)

    command = "echo $$; sleep 1000 & echo $!; sh -c 'sleep 1001 & echo $!'; setsid sleep 1002 & echo $!{more}"
    runs = BashTask("runs", command, callback_stdout=tell, callback_end=end, callback_finally=ended, {option})
    main = Dag("main", schema={{runs: None}})
    """
    run = client.start(workflow_file(f"leaves_{way}", body))
    lines: list[str] = []
    while len(lines) < PROCESSES:
        lines = [line.text for line in run.logs()]
    if way == "stop":
        run.stop()
    assert run.wait(PATIENCE) is state
    assert [line.text for line in run.logs()][PROCESSES:] == printed
    assert gone(map(int, lines[:PROCESSES]), within=10.0)
