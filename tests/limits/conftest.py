"""One system for all of these tests, with two of each service."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.limits.support import PATIENCE

from lightflow.client import Client
from lightflow.local.stack import Stack

# A worker may be without MongoDB for as long as a mongod takes to come back on a busy machine.
TIMES = """
engine:
  lease_interval: 1.0
  lease_timeout: 30.0
  self_fence: 25.0
  sweep_interval: 1.0
  shutdown_grace: 2.0
"""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give each test of this folder the time that its form takes."""
    for item in items:
        if "tests/limits" in item.path.as_posix():
            item.add_marker(pytest.mark.timeout(PATIENCE + 30))


@pytest.fixture(scope="session")
def flows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The workflow folder of the system."""
    return tmp_path_factory.mktemp("flows")


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory, flows: Path) -> Iterator[Stack]:
    """The system. Tests share it, so each waits for the end of what it starts."""
    config = tmp_path_factory.mktemp("config") / "lightflow.cfg"
    config.write_text(TIMES)
    replicas = {"scheduler": 2, "dag-runner": 2, "task-worker": 2}
    with Stack.temporary(task_slots=2, replicas=replicas, config=str(config), workflows=(str(flows),)) as running:
        yield running


@pytest.fixture
def client(stack: Stack) -> Iterator[Client]:
    """The Python client of the system."""
    with Client(stack.target) as connected:
        yield connected
