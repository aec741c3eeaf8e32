"""One project for all of these tests; each waits for the end of what it starts."""

from collections.abc import Iterator

import pytest
from tests.compose.project import ALL, TAG, Project, build, docker, missing

from lightflow.client import Client


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Containers take their time; what belongs to the long form alone is marked as that."""
    for item in items:
        if "tests/compose" in item.path.as_posix():
            item.add_marker(pytest.mark.timeout(1800))
            if item.path.name == "test_long.py" and not ALL:
                item.add_marker(pytest.mark.skip(reason="the long form: make test-compose"))


@pytest.fixture(scope="session")
def images() -> None:
    """The images of the working tree."""
    if why := missing():
        (pytest.fail if ALL else pytest.skip)(why)
    build(TAG)


@pytest.fixture(scope="session")
def project(images: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A running system."""
    project = Project(tmp_path_factory.mktemp("compose"))
    before = set(docker("volume", "ls", "-q").split())
    try:
        project.up()
        yield project
    finally:
        project.down()
    assert project.leftovers() == []
    assert set(docker("volume", "ls", "-q").split()) <= before


@pytest.fixture
def client(project: Project) -> Iterator[Client]:
    """A client on this host."""
    with Client(project.target) as client:
        yield client
