"""What the end-to-end tests do as a person does it: type commands, write files, look at processes."""

import json
import os
import re
import select
import subprocess
import sys
import textwrap
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lightflow.client import Client, Run

LIGHTFLOW = str(Path(sys.executable).with_name("lightflow"))
LIGHTFLOWCTL = str(Path(sys.executable).with_name("lightflowctl"))
PATIENCE = 60.0
"""Seconds after which a test gives up on a command or a run; none comes near it."""

HEADER = """
from lightflow.models import *
from lightflow.models.exceptions import *
from lightflow.tasks import BashTask, PythonTask
"""

_STYLE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_WRITTEN = re.compile(r"^(?P<task>\S+)(?: \(attempt \d+\))? \| (?P<line>.*)$")


@dataclass(frozen=True)
class Answer:
    """What a command ended with."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The document on stdout."""
        assert self.out, self.err
        return json.loads(self.out)

    @property
    def json_lines(self) -> list[Any]:
        """The documents on stdout, one per line."""
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def written(self) -> dict[str, list[str]]:
        """The lines that tasks wrote, by task, wherever the command showed them."""
        return written((self.out + self.err).splitlines())


@dataclass
class Screen:
    """What was written to a terminal, whose other side is a descriptor."""

    descriptor: int
    text: str = ""

    def until(self, pattern: str) -> None:
        """Wait until a line that fits was written."""
        deadline = time.monotonic() + PATIENCE
        while not re.search(pattern, _STYLE.sub("", self.text)):
            ready, _, _ = select.select([self.descriptor], [], [], max(deadline - time.monotonic(), 0))
            assert ready, f"{pattern} is not shown in\n{self.text}"
            self.text += os.read(self.descriptor, 65536).decode()


@dataclass(frozen=True)
class Cli:
    """`lightflowctl` as it is typed in some folder; speaks to the stack of `data_dir`."""

    data_dir: Path
    folder: Path
    environment: dict[str, str] = field(default_factory=dict)

    def __call__(self, *arguments: object, typed: str = "", **environment: str) -> Answer:
        """Run a command to its end; `typed` is its stdin."""
        done = subprocess.run(
            [LIGHTFLOWCTL, *map(str, arguments)],
            input=typed,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            cwd=self.folder,
            env=self._env(environment),
            check=False,
        )
        return Answer(done.returncode, done.stdout, done.stderr)

    @contextmanager
    def begun(self, *arguments: object) -> "Iterator[subprocess.Popen[str]]":
        """A command that goes on beside the block; what is left of it afterwards is killed."""
        process = subprocess.Popen(
            [LIGHTFLOWCTL, *map(str, arguments)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=self.folder,
            env=self._env({}),
        )
        with process:
            try:
                yield process
            finally:
                process.kill()

    @contextmanager
    def in_terminal(self, *arguments: object) -> "Iterator[tuple[subprocess.Popen[bytes], Callable[[str], None]]]":
        """A command of `lightflow` in a terminal, and a function that waits until a pattern is shown there."""
        outer, inner = os.openpty()
        with subprocess.Popen(
            [LIGHTFLOW, *map(str, arguments)],
            stdin=inner,
            stdout=inner,
            stderr=inner,
            cwd=self.folder,
            env=self._env({"TERM": "xterm", "COLUMNS": "120", "LINES": "30"}),
        ) as process:
            try:
                yield process, Screen(outer).until
            finally:
                process.kill()
                os.close(outer)
                os.close(inner)

    def _env(self, more: dict[str, str]) -> dict[str, str]:
        plain = {name: value for name, value in os.environ.items() if not name.startswith("LIGHTFLOW_")}
        return {**plain, "LIGHTFLOW_DATA_DIR": str(self.data_dir), **self.environment, **more}


@dataclass(frozen=True)
class Seen:
    """How a run ended. `tasks` are states and `attempts` numbers by DAG run and task; `printed` are lines by task."""

    state: str
    error: tuple[str, str] | None
    dags: dict[str, str]
    tasks: dict[str, dict[str, str]]
    attempts: dict[str, dict[str, int]]
    printed: dict[str, list[str]]


def write_workflow(folder: Path, name: str, body: str, *, header: str = HEADER) -> Path:
    """A workflow file in a folder; the names of the public API are imported."""
    file = folder / f"{name}.py"
    file.write_text(header + textwrap.dedent(body))
    return file


def seen(client: Client, run: Run) -> Seen:
    """Wait for the end of a run and tell how it ended."""
    run.wait(PATIENCE)
    message = client._control.get_run(run.id)
    printed: dict[str, list[str]] = defaultdict(list)
    for line in run.logs():
        printed[line.task].append(line.text)
    return Seen(
        state=message.state,
        error=(message.error.type, message.error.message) if message.HasField("error") else None,
        dags={dag.name: dag.state for dag in message.dags},
        tasks={dag.name: {task.name: task.state for task in dag.tasks} for dag in message.dags},
        attempts={dag.name: {task.name: task.attempts for task in dag.tasks} for dag in message.dags},
        printed=dict(printed),
    )


def written(lines: Iterable[str]) -> dict[str, list[str]]:
    """The lines that tasks wrote, by the name before the bar."""
    found: dict[str, list[str]] = defaultdict(list)
    for line in lines:
        if match := _WRITTEN.match(line):
            found[match["task"]].append(match["line"])
    return dict(found)


def states(document: dict[str, Any]) -> dict[str, dict[str, str]]:
    """The states of the tasks in the document of a run, by DAG run and task."""
    return {dag["name"]: {task["name"]: task["state"] for task in dag["tasks"]} for dag in document["dags"]}


def gone(pids: Iterable[int], within: float) -> bool:
    """Whether these processes have all ended after so many seconds at most, each of them waited for by its pid."""
    deadline = time.monotonic() + within
    for pid in pids:
        try:
            descriptor = os.pidfd_open(pid)
        except ProcessLookupError:
            continue
        try:
            if not select.select([descriptor], [], [], max(0.0, deadline - time.monotonic()))[0]:
                return False
        finally:
            os.close(descriptor)
    return True
