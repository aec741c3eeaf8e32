import itertools
import os
import tempfile
import textwrap
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from shutil import rmtree
from typing import Any

import cloudpickle
import pytest

from lightflow.core.errors import DagNameUnknown
from lightflow.core.ids import new_id
from lightflow.models import TaskData
from lightflow_task_worker.making import Failed, Made, Maker
from lightflow_task_worker.slot import ChildSettings, Input, Job, Slot, Slots


class Calls:
    """A store in memory, and a signal that knows one DAG."""

    def __init__(self) -> None:
        self.values: dict[str, bytes] = {}
        self.made: list[tuple[str, dict[str, Any], bytes]] = []

    async def call(self, method: str, header: dict[str, Any], payload: bytes) -> tuple[dict[str, Any], bytes]:
        self.made.append((method, header, payload))
        if method == "get":
            return {"found": header["key"] in self.values}, self.values.get(header["key"], b"")
        if method == "set":
            self.values[header["key"]] = payload
        if method == "start_dag":
            if header["name"] != "sub":
                raise DagNameUnknown(header["name"], ("sub",))
            return {"name": "sub:1"}, b""
        return {}, b""


@pytest.fixture
def folder() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="lf-", dir="/tmp"))
    yield path
    rmtree(path)


@pytest.fixture
def calls() -> Calls:
    return Calls()


@pytest.fixture
def marker() -> str:
    return f"tests/{new_id()}"


@pytest.fixture
async def slots(marker: str) -> AsyncIterator[Slots]:
    slots = Slots(ChildSettings(marker, grace=0.5))
    yield slots
    await slots.close()


@pytest.fixture
async def slot(slots: Slots) -> AsyncIterator[Slot]:
    slot = await slots.start()
    yield slot
    await slot.close()


@pytest.fixture
async def maker(slots: Slots) -> AsyncIterator[Maker]:
    maker = Maker(slots, limit=10.0)
    yield maker
    await maker.close()


class Workshop:
    """Makes versions of workflow texts, and jobs of their tasks."""

    def __init__(self, maker: Maker, folder: Path) -> None:
        self._maker = maker
        self._folder = folder
        self._numbers = itertools.count(1)

    async def try_make(self, text: str, name: str = "flow", libraries: tuple[Path, ...] = ()) -> Made | Failed:
        file = self._folder / f"{name}.py"
        file.write_text(textwrap.dedent(text).lstrip())
        return await self._maker.make(file, name, libraries)

    async def make(self, text: str, name: str = "flow") -> Made:
        made = await self.try_make(text, name)
        assert isinstance(made, Made), made.error
        return made

    async def task(self, body: str, *, before: str = "", **job: Any) -> Job:
        """A job for one task, whose function has this body and these lines before it."""
        text = (
            "import os, sys, time, signal as signals, subprocess, threading\n"
            "from lightflow.models import AbortWorkflow, Action, Dag, StopTask\n"
            "from lightflow.tasks import PythonTask\n"
            f"{textwrap.dedent(before)}\n"
            f"def work(data, store, signal, context):\n{textwrap.indent(textwrap.dedent(body).strip(), '    ')}\n"
            "main = Dag('main', schema={PythonTask('work', work): None})\n"
        )
        return self.job(await self.make(text, f"flow{next(self._numbers)}"), 0, **job)

    def job(self, made: Made, index: int, **changes: Any) -> Job:
        dag, _, _, shard = next(each for each in made.shards if each[1] <= index <= each[2])
        fields = {
            "task_run": f"run:{dag}:1/{index}",
            "run_id": "0" * 24,
            "workflow": made.spec.name,
            "version": made.version,
            "dag": f"{dag}:1",
            "task": made.spec.dag(dag).tasks[index].name,
            "index": index,
            "attempt": 1,
            "worker": "worker@host",
            "timeout": None,
            "shard": shard,
            "folder": None,
        }
        return Job(**{**fields, **changes})


@pytest.fixture
def workshop(maker: Maker, folder: Path) -> Workshop:
    return Workshop(maker, folder)


@pytest.fixture
def given() -> Callable[..., Input]:
    """An input with these values."""
    return lambda name="before", **values: Input(name, (), cloudpickle.dumps(TaskData(values)))


@pytest.fixture
def written() -> list[bytes]:
    return []


@pytest.fixture
def is_alive() -> Callable[[int], bool]:
    def alive(pid: int) -> bool:
        try:
            stat = Path(f"/proc/{pid}/stat").read_text()
        except (FileNotFoundError, ProcessLookupError):
            return False
        return stat.rpartition(")")[2].split()[0] != "Z"

    assert alive(os.getpid())
    return alive
