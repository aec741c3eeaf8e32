import stat
from pathlib import Path

import pytest

from lightflow.config import Config
from lightflow.core.errors import ConfigLoadError
from lightflow.local.stack.configuration import make_signing_key, merge, read_own, write
from lightflow.local.stack.options import StackOptions
from lightflow.local.stack.places import Places
from lightflow.runtime.services import inherited

PLAIN = StackOptions("data")


@pytest.fixture(autouse=True)
def nobodys_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LIGHTFLOW_CONFIG", "LIGHTFLOW_WORKFLOWS"):
        monkeypatch.delenv(name, raising=False)
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.chdir(home)


@pytest.fixture
def places(tmp_path: Path) -> Places:
    (tmp_path / "data").mkdir()
    return Places(tmp_path / "data", Path("/run/lf-1"))


def test_a_stack_speaks_over_its_own_sockets_whatever_the_person_configured(places: Places, tmp_path: Path) -> None:
    own = {
        "store": {"host": "db.example.org", "username": "me", "password": "x", "database": "mine"},
        "signal": {"host": "redis.example.org", "password": "x"},
        "celery": {"broker_url": "redis://elsewhere", "worker_concurrency": 3},
    }
    tree = merge(own, PLAIN, places, tmp_path)
    assert tree["store"] == {"uri": "mongodb://%2Frun%2Flf-1%2Fmongod.sock", "database": "mine"}
    assert tree["signal"] == {"uri": "unix:///run/lf-1/redis.sock"}
    assert tree["celery"] == {
        "broker_url": "redis+socket:///run/lf-1/redis.sock?virtual_host=0",
        "worker_concurrency": 3,
    }
    assert tree["control"] == {"socket": "/run/lf-1/control.sock"}


def test_a_person_who_says_nothing_gets_the_shipped_examples(places: Places, tmp_path: Path) -> None:
    *_, shipped = merge({}, PLAIN, places, tmp_path)["workflows"]
    assert shipped.endswith("lightflow/examples")


def test_folders_beside_the_person_come_first_whether_they_exist_yet_or_not(places: Places, tmp_path: Path) -> None:
    folders = merge({}, PLAIN, places, tmp_path)["workflows"]
    assert folders[:2] == [str(tmp_path / "workflows"), str(tmp_path / "examples")]
    assert len(folders) == 3


def test_a_configured_folder_replaces_the_default_ones_and_a_chosen_one_replaces_both(
    places: Places, tmp_path: Path
) -> None:
    own = {"workflows": ["/flows"]}
    assert merge(own, PLAIN, places, tmp_path)["workflows"] == ["/flows"]
    chosen = StackOptions("data", workflows=("mine", "/theirs"))
    assert merge(own, chosen, places, tmp_path)["workflows"] == [str(tmp_path / "mine"), "/theirs"]


def test_the_file_found_in_the_folder_counts_with_its_folders_made_absolute(tmp_path: Path) -> None:
    Path("lightflow.cfg").write_text("workflows:\n  - flows\nengine:\n  max_deaths: 7\n")
    own = read_own(None)
    assert own["workflows"] == [str(tmp_path / "home" / "flows")]
    assert own["engine"]["max_deaths"] == 7
    assert set(own) == {"workflows", "engine"}


def test_without_a_file_nothing_is_said() -> None:
    assert read_own(None) == {}


def test_what_the_environment_says_counts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LIGHTFLOW_WORKFLOWS", str(tmp_path))
    assert read_own(None) == {"workflows": [str(tmp_path)]}


def test_a_broken_file_is_refused_with_its_line(tmp_path: Path) -> None:
    broken = tmp_path / "broken.cfg"
    broken.write_text("workflows: [\n")
    with pytest.raises(ConfigLoadError, match="line 2"):
        read_own(str(broken))


def test_the_written_file_is_a_configuration_that_loads(places: Places, tmp_path: Path) -> None:
    write(merge({"logging": {"version": 1}}, PLAIN, places, tmp_path), places)
    config = Config.from_file(str(places.config))
    assert config.data_store["uri"] == "mongodb://%2Frun%2Flf-1%2Fmongod.sock"
    assert config.control["socket"] == "/run/lf-1/control.sock"
    assert config.engine["signing_key_file"] == str(places.signing_key)
    assert config.engine["cache_dir"] == str(places.cache)


def test_the_signing_key_is_private_and_made_once(tmp_path: Path) -> None:
    key = tmp_path / "signing.key"
    make_signing_key(key)
    first = key.read_text()
    make_signing_key(key)
    assert key.read_text() == first
    assert len(bytes.fromhex(first)) == 32
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert [path for path in tmp_path.iterdir() if path.is_file()] == [key]


def test_what_the_environment_says_of_another_system_does_not_reach_the_services() -> None:
    kept = {"PATH": "/bin", "LIGHTFLOW_DEBUG": "1", "MY_TOKEN": "x"}
    foreign = {
        "LIGHTFLOW_STORE_URI": "x",
        "LIGHTFLOW_BROKER_URL": "x",
        "LIGHTFLOW_TARGET": "x",
        "LIGHTFLOW_CONFIG": "x",
    }
    assert inherited({**kept, **foreign}) == kept
