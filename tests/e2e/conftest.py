"""One whole system per test process: redis, mongod and the three services, and the command line that speaks to it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.e2e.support import Cli, write_workflow

import lightflow
from lightflow.client import Client
from lightflow.local.stack import Stack

EXAMPLES = Path(lightflow.__file__).parent / "examples"
QUEUES = {"scheduler": ("nightly",), "dag-runner": ("slow_dags",), "task-worker": ("graphics",)}


@pytest.fixture(scope="session")
def flows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workflow folder of the system."""
    return tmp_path_factory.mktemp("flows")


@pytest.fixture(scope="session")
def stack(flows: Path) -> Iterator[Stack]:
    """The system. Tests share it, so none of them stops it or takes it for its own."""
    folders = (str(flows), str(EXAMPLES))
    with Stack.temporary(task_slots=4, queues=QUEUES, workflows=folders) as running:
        yield running


@pytest.fixture
def cli(stack: Stack, tmp_path: Path) -> Cli:
    """`lightflowctl`, typed in a folder of its own, speaking to the system."""
    return Cli(stack.data_dir, tmp_path)


@pytest.fixture
def client(stack: Stack) -> Iterator[Client]:
    """The Python client of the system."""
    with Client(stack.target) as connected:
        yield connected


@pytest.fixture
def workflow_file(tmp_path: Path) -> Callable[..., Path]:
    """Writes a workflow file: `workflow_file(name, body)`."""
    return lambda name, body, **options: write_workflow(tmp_path, name, body, **options)
