"""Where the configuration comes from, what it means, and what is said about mistakes in it."""

import logging
import logging.config
from pathlib import Path
from typing import Any

import pytest

from lightflow import config as config_module
from lightflow.config import Config, default_config
from lightflow.core import variables
from lightflow.core.errors import ConfigFieldError, ConfigFieldUnknown, ConfigLoadError, ConfigNotDefinedError
from lightflow.core.secrecy import masked
from lightflow.logger import usable

OLD_DEFAULT = """
workflows:
  - ./examples
libraries: []
celery:
  broker_url: redis://localhost:6379/0
  result_backend: redis://localhost:6379/0
  worker_concurrency: 8
  result_expires: 0
  worker_send_task_events: True
  worker_prefetch_multiplier: 1
signal: {host: localhost, port: 6379, password: null, database: 0, polling_time: 0.5}
store:
  host: localhost
  port: 27017
  database: lightflow
  username: null
  password: null
  auth_source: admin
  auth_mechanism: null
  connect_timeout: 30000
graph: {workflow_polling_time: 0.5, dag_polling_time: 0.5}
cli: {time_format: '%d/%m/%Y %H:%M:%S'}
extensions: {}
logging:
  version: 1
  disable_existing_loggers: false
  formatters:
    verbose: {format: '[%(asctime)s][%(levelname)s] %(name)s | %(message)s', datefmt: '%d/%m/%Y %H:%M:%S'}
    simple:
      (): 'colorlog.ColoredFormatter'
      format: '%(log_color)s[%(asctime)s][%(levelname)s] %(blue)s%(processName)s%(reset)s | %(message)s'
      datefmt: '%d/%m/%Y %H:%M:%S'
  handlers:
    console: {class: logging.StreamHandler, level: INFO, formatter: simple}
  loggers:
    celery: {handlers: [console], level: INFO}
    root: {handlers: [console], level: INFO}
"""


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home and an empty current folder; nothing in the environment speaks of Lightflow."""
    import os

    for name in list(os.environ):
        if name.startswith("LIGHTFLOW_"):
            monkeypatch.delenv(name)
    monkeypatch.setattr(Config, "_loaded_last", None)
    folder = tmp_path / "home"
    (folder / "here").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.chdir(folder / "here")
    return folder


def loaded(text: str, folder: Path) -> Config:
    file = folder / "some.cfg"
    file.write_text(text)
    return Config.from_file(str(file))


def test_the_given_file_wins_then_the_environment_then_here_then_home(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def host() -> Any:
        return Config.from_file(None).data_store["host"]

    (home / "lightflow.cfg").write_text("store: {host: home}")
    assert host() == "home"
    (home / "here" / "lightflow.cfg").write_text("store: {host: here}")
    assert host() == "here"
    (home / "env.cfg").write_text("store: {host: env}")
    monkeypatch.setenv("LIGHTFLOW_CONFIG", "~/env.cfg")
    assert host() == "env"
    assert loaded("store: {host: given}", home).data_store["host"] == "given"


def test_without_any_file_strict_names_what_was_tried_and_the_remedy(home: Path) -> None:
    with pytest.raises(ConfigLoadError, match=r"LIGHTFLOW_CONFIG.*here/lightflow.cfg.*lightflow config default"):
        Config.from_file(None)


def test_without_any_file_the_defaults_hold_when_not_strict(home: Path) -> None:
    config = Config.from_file(None, strict=False)
    assert config.data_store["port"] == 27017
    assert config.workflows == [str(home / "here" / "examples")]


def test_an_empty_file_says_nothing(home: Path) -> None:
    assert loaded("", home).signal["port"] == 6379
    assert loaded("store:\ncelery:\n", home).data_store["port"] == 27017


def test_a_file_is_merged_over_the_defaults(home: Path) -> None:
    store = loaded("store: {host: elsewhere}", home).data_store
    assert (store["host"], store["database"]) == ("elsewhere", "lightflow")


def test_the_default_text_is_a_configuration_and_says_the_defaults(home: Path) -> None:
    bare = Config()
    bare.load_from_dict({})
    bare_dict = bare.to_dict()
    (home / "here" / "lightflow.cfg").write_text(default_config)
    assert Config.from_file(None).to_dict() == bare_dict


def test_folders_are_relative_to_the_file(home: Path) -> None:
    config = loaded("workflows: [flows, /abs, ~/mine]\nlibraries: [../libs]", home / "here")
    assert config.workflows == [str(home / "here" / "flows"), "/abs", str(home / "mine")]
    assert config.libraries == [str(home / "libs")]


def test_variables_are_expanded(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DB_HOST", "mongo1")
    monkeypatch.setenv("DB_PORT", "4711")
    store = loaded("store: {host: $DB_HOST, port: '${DB_PORT}', password: $UNSET}", home).data_store
    assert (store["host"], store["port"], store["password"]) == ("mongo1", 4711, "$UNSET")


def test_the_environment_wins_over_the_file(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "LIGHTFLOW_STORE_URI": "mongodb://m",
        "LIGHTFLOW_BROKER_URL": "redis://b",
        "LIGHTFLOW_CONTROL_PORT": "1234",
        "LIGHTFLOW_ENGINE_LEASE_TIMEOUT": "2.5",
        "LIGHTFLOW_WORKFLOWS": "/a:/b",
    }.items():
        monkeypatch.setenv(name, value)
    config = loaded("store: {uri: file}\nworkflows: [x]", home)
    assert (config.data_store["uri"], config.celery["broker_url"]) == ("mongodb://m", "redis://b")
    assert (config.control["port"], config.engine["lease_timeout"]) == (1234, 2.5)
    assert config.workflows == ["/a", "/b"]


def test_a_variable_may_name_the_file_that_holds_the_value(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "password").write_text("p@ss word\n")
    monkeypatch.setenv("LIGHTFLOW_STORE_PASSWORD_FILE", str(home / "password"))
    assert loaded("store: {password: other}", home).data_store["password"] == "p@ss word"
    monkeypatch.setenv("LIGHTFLOW_STORE_PASSWORD", "again")
    with pytest.raises(ConfigFieldError, match="LIGHTFLOW_STORE_PASSWORD and LIGHTFLOW_STORE_PASSWORD_FILE are both"):
        loaded("", home)


def test_a_file_of_a_variable_that_cannot_be_read_is_named(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIGHTFLOW_BROKER_URL_FILE", "/absent")
    with pytest.raises(ConfigFieldError, match="LIGHTFLOW_BROKER_URL_FILE: the file '/absent' cannot be read: No such"):
        loaded("", home)


def test_sections_of_free_keys_are_json_in_the_environment(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIGHTFLOW_CELERY", '{"worker_concurrency": 3}')
    monkeypatch.setenv("LIGHTFLOW_BROKER_URL", "")
    assert loaded("", home).celery == {"worker_concurrency": 3, "broker_url": None}
    for wrong, told in (("{", "LIGHTFLOW_LOGGING is no JSON"), ("[1]", "is a JSON object of settings, not a list")):
        monkeypatch.setenv("LIGHTFLOW_LOGGING", wrong)
        with pytest.raises(ConfigFieldError, match=told):
            loaded("", home)


def test_a_variable_that_sets_nothing_is_told_with_what_was_meant() -> None:
    given = {
        "LIGHTFLOW_ENGINE_TASK_SLOT": "4",
        "LIGHTFLOW_STORE_URI_FILE": "/x",
        "LIGHTFLOW_CONTROL_SERVICE_HOST": "10.0.0.1",
        "LIGHTFLOW_CONTROL_PORT_50051_TCP_ADDR": "10.0.0.1",
        "LIGHTFLOW_QUEUES": "task",
        "PATH": "/bin",
    }
    wanted = "LIGHTFLOW_ENGINE_TASK_SLOT is not known and has no effect; did you mean LIGHTFLOW_ENGINE_TASK_SLOTS?"
    assert variables.unknown(given) == [wanted]


def test_what_kubernetes_says_about_its_services_is_no_port(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIGHTFLOW_CONTROL_PORT", "tcp://10.0.0.1:50051")
    assert loaded("", home).control["port"] == 50051


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("stor: {}", "unknown key 'stor'; did you mean 'store'"),
        ("store: {hots: x}", "unknown key 'store.hots'; did you mean 'host'"),
        ("engine: {max_death: 1}", "did you mean 'max_deaths'"),
    ],
)
def test_an_unknown_key_is_named_with_the_nearest_one_and_the_file(home: Path, text: str, told: str) -> None:
    with pytest.raises(ConfigFieldUnknown, match=told) as caught:
        loaded(text, home)
    assert "some.cfg" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("store: {port: many}", "store.port is a whole number, not 'many'"),
        ("engine: {lease_timeout: soon}", "engine.lease_timeout is a number"),
        ("store: localhost", "store is a section"),
        ("workflows: {a: b}", "workflows is a list of folders"),
        ("store: {host: [a]}", "store.host is text"),
        ("- a", "holds no sections"),
    ],
)
def test_a_wrong_value_is_named_with_what_it_should_be(home: Path, text: str, told: str) -> None:
    with pytest.raises(ConfigFieldError, match=told):
        loaded(text, home)


@pytest.mark.parametrize(
    ("text", "line"),
    [("store:\n  host: a\n port: 5\n", 3), ("a: [1, 2\nb: 3\n", 2), ("store: {}\nstore: {}\n", 2), ("x: \t- y\n", 1)],
)
def test_a_broken_file_is_told_by_line_and_reason(home: Path, text: str, line: int) -> None:
    with pytest.raises(ConfigLoadError, match=rf"some.cfg, line {line}, column \d+: \w+"):
        loaded(text, home)


def test_a_file_that_cannot_be_read_is_told_by_its_reason(home: Path) -> None:
    with pytest.raises(ConfigLoadError, match=r"absent.cfg.*No such file"):
        Config.from_file("absent.cfg", strict=False)
    with pytest.raises(ConfigLoadError, match="Is a directory"):
        Config.from_file(str(home))
    (home / "binary.cfg").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigLoadError, match="UTF-8"):
        Config.from_file(str(home / "binary.cfg"))


def test_the_default_file_of_the_original_is_accepted(home: Path) -> None:
    config = loaded(OLD_DEFAULT, home)
    assert config.engine["task_slots"] == 8
    assert config.celery_settings == {"broker_url": "redis://localhost:6379/0"}
    assert config.cli["time_format"] == "%d/%m/%Y %H:%M:%S"


def test_its_logging_works_without_the_package_that_it_names(home: Path) -> None:
    settings = usable(loaded(OLD_DEFAULT, home).logging)
    formatter = settings["formatters"]["simple"]
    assert formatter["format"] == "[%(asctime)s][%(levelname)s] %(processName)s | %(message)s"
    logging.config.DictConfigurator(settings).configure_formatter(formatter)


def test_settings_without_meaning_are_noted_once(
    home: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(config_module, "_noted", set())
    caplog.set_level(logging.INFO)
    loaded(OLD_DEFAULT, home)
    loaded(OLD_DEFAULT, home)
    noted = [record.getMessage() for record in caplog.records]
    assert len(noted) == len(set(noted)) == 8
    assert any("signal.polling_time" in text for text in noted)


def test_task_slots_win_over_celerys_concurrency(home: Path) -> None:
    text = "engine: {task_slots: 2}\ncelery: {worker_concurrency: 8}"
    assert loaded(text, home).engine["task_slots"] == 2


def test_any_celery_setting_and_any_extension_are_accepted(home: Path) -> None:
    config = loaded("celery: {broker_pool_limit: 3}\nextensions: {mine: {a: 1}}", home)
    assert config.celery_settings["broker_pool_limit"] == 3
    assert config.extensions["mine"] == {"a": 1}


def test_showing_masks_secrets_and_to_dict_does_not(home: Path) -> None:
    text = "store: {password: p1, uri: 'mongodb://me:p2@host/x'}\ncelery: {broker_url: 'redis://:p3@host'}\n"
    config = loaded(text + "extensions: {mine: {api_token: p4}}", home)
    shown = str(config.shown())
    assert not any(secret in shown for secret in ("p1", "p2", "p3", "p4"))
    assert "mongodb://me:***@host/x" in shown
    assert config.to_dict()["store"]["password"] == "p1"


@pytest.mark.parametrize(
    "address",
    [
        "mongodb://me:s3/cr@et@host/x",
        "redis://s3cret@host:6379/0",
        "redis://host:6379/0?password=s3cret&db=1",
        "mongodb://host/?tlsCertificateKeyFilePassword=s3cret",
        "mongodb://host/?authMechanismProperties=AWS_SESSION_TOKEN:s3cret",
    ],
)
def test_no_part_of_a_password_in_an_address_is_shown(address: str) -> None:
    assert "host" in masked(address)
    assert not any(part in masked(address) for part in ("s3", "cr", "et@", "cret"))


@pytest.mark.parametrize(
    "text",
    [
        "store: {password: [s3cret]}",
        "store: 'mongodb://me:s3cret@host'",
        "celery: 'redis://:s3cret@host'",
        "celery: {broker_url: 'redis://:s3cret/x@host/0'}",
        "signal: {uri: 'redis://:s3cret/x@host/0'}",
        "store:\n  password: s3cret\n  password: s3cret2",
        "store:\n  password:s3cret",
        "store:\n  password: *s3cret",
        "store:\n  password: !s3cret x",
    ],
)
def test_a_mistake_is_told_without_the_password_beside_it(home: Path, text: str) -> None:
    with pytest.raises((ConfigLoadError, ConfigFieldError), match=r"store|celery|signal|line \d") as raised:
        loaded(text, home)
    assert "s3cret" not in str(raised.value)


def test_what_is_handed_out_is_a_copy(home: Path) -> None:
    config = loaded("", home)
    config.data_store["host"] = "changed"
    config.to_dict()["store"]["host"] = "changed"
    assert config.data_store["host"] == "localhost"


def test_a_configuration_that_was_never_loaded_says_so() -> None:
    with pytest.raises(ConfigNotDefinedError, match="load"):
        Config().data_store  # noqa: B018
