import json
import shutil
import socket
import tempfile
from pathlib import Path

import pytest

from lightflow.core.errors import NoControlService
from lightflow.runtime.rpc import targets
from lightflow.runtime.rpc.targets import find_target


class Settings:
    """A configuration whose store and whose default port have nobody."""

    def __init__(self, port, target=None):
        self.control = {"host": "127.0.0.1", "port": port, "target": target}
        self.data_store = {"uri": f"mongodb://127.0.0.1:{port}", "database": "lightflow"}


@pytest.fixture(autouse=True)
def no_target(monkeypatch):
    monkeypatch.delenv("LIGHTFLOW_TARGET", raising=False)


@pytest.fixture
def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def data_dir():
    path = Path(tempfile.mkdtemp(prefix="lf-", dir="/tmp"))
    yield path
    shutil.rmtree(path)


@pytest.fixture
def stack(data_dir):
    """A living stack in the data dir."""
    target = f"unix:{data_dir}/s"
    (data_dir / "stack.json").write_text(json.dumps({"pid": 1, "target": target}))
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(f"{data_dir}/s")
        listening.listen()
        yield target


def test_a_named_target_wins_then_that_of_the_environment_then_that_of_the_configuration(
    stack, data_dir, free_port, monkeypatch
):
    config = Settings(free_port, "c:1")
    assert find_target(None, config, data_dir) == "c:1"
    monkeypatch.setenv("LIGHTFLOW_TARGET", "b:1")
    assert find_target(None, config, data_dir) == "b:1"
    assert find_target("a:1", config, data_dir) == "a:1"


def test_a_living_stack_of_the_data_dir_is_found(stack, data_dir):
    assert find_target(None, None, data_dir) == stack


def test_the_default_port_is_the_last_resort(data_dir, free_port):
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", free_port))
        listening.listen()
        config = Settings(free_port)
        config.data_store["uri"] = "mongodb://%2Ftmp%2Fnothing.sock"
        assert find_target(None, config, data_dir) == f"127.0.0.1:{free_port}"


def test_a_store_without_a_control_service_does_not_lead_to_another_system(free_port, monkeypatch):
    monkeypatch.setattr(targets, "_of_store", lambda config: [])
    with socket.socket() as of_another_system:
        of_another_system.bind(("127.0.0.1", free_port))
        of_another_system.listen()
        with pytest.raises(NoControlService, match="registered in the store: none"):
            find_target(None, Settings(free_port), None)


def test_without_a_configuration_the_default_port_is_asked_for_only_when_the_store_knows_no_better(
    stack, free_port, monkeypatch, tmp_path
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(targets, "DEFAULT_TARGET", f"127.0.0.1:{free_port}")
    monkeypatch.setattr(targets, "DEFAULT_STORE", f"127.0.0.1:{free_port}")
    monkeypatch.setattr(targets, "_of_store", lambda config: [stack])
    with socket.socket() as of_another_system:
        of_another_system.bind(("127.0.0.1", free_port))
        of_another_system.listen()
        assert find_target(None, None, tmp_path) == stack


def test_without_a_configuration_no_client_is_loaded_for_a_store_that_is_not_there(free_port, monkeypatch, tmp_path):
    monkeypatch.setattr(targets, "DEFAULT_TARGET", f"127.0.0.1:{free_port}")
    monkeypatch.setattr(targets, "DEFAULT_STORE", "127.0.0.1:1")
    monkeypatch.setattr(targets, "_of_store", lambda config: pytest.fail("nothing answers there"))
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", free_port))
        listening.listen()
        assert find_target(None, None, tmp_path) == f"127.0.0.1:{free_port}"


def test_where_nobody_answers_the_error_names_every_place_that_was_tried(data_dir, free_port):
    dead = f"unix:{data_dir}/gone"
    (data_dir / "stack.json").write_text(json.dumps({"pid": 1, "target": dead}))
    with pytest.raises(NoControlService) as error:
        find_target(None, Settings(free_port), data_dir)
    for place in (
        dead,
        f"the store at mongodb://127.0.0.1:{free_port} cannot be reached",
        f"127.0.0.1:{free_port}",
        "lightflowctl up",
    ):
        assert place in str(error.value)


@pytest.mark.parametrize(
    ("uri", "said"),
    [
        ("mongodb://me:s3cret@127.0.0.1:{port}", "the store at mongodb://me:***@127.0.0.1:{port} cannot be reached"),
        ("mongodb://me:s3cret@127.0.0.1:port", "its address is malformed"),
    ],
)
def test_a_store_that_cannot_be_asked_is_named_without_its_password(free_port, uri, said):
    config = Settings(free_port)
    config.data_store["uri"] = uri.format(port=free_port)
    with pytest.raises(NoControlService) as raised:
        find_target(None, config, None)
    assert said.format(port=free_port) in str(raised.value)
    assert not any(noise in str(raised.value) for noise in ("s3cret", "Topology", "configured timeouts"))
