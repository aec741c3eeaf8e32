import os

import pytest

from lightflow.config import Config
from lightflow.core.errors import ConfigFieldError
from lightflow.core.outcomes import Bounds
from lightflow.core.secrecy import masked
from lightflow.runtime.broker import broker_url, make_app, queue_list
from lightflow.runtime.membership import process_started
from lightflow.runtime.mongo import store_uri
from lightflow.runtime.notify import signal_url
from lightflow.runtime.settings import EngineSettings, queues_of


def config_of(**sections):
    config = Config()
    config.load_from_dict(sections)
    return config


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    for name in [name for name in os.environ if name.startswith("LIGHTFLOW_")]:
        monkeypatch.delenv(name)


def test_the_engine_settings_are_those_of_the_configuration():
    engine = EngineSettings.from_config(config_of(engine={"lease_interval": 1.5, "max_deaths": 5, "max_losses": 2}))
    assert engine.lease_interval == 1.5
    assert engine.lease_timeout == 30.0
    assert engine.bounds == Bounds(5, 2)


def test_a_worker_has_as_many_slots_as_there_are_cores_unless_told_otherwise():
    assert EngineSettings().slots == os.cpu_count()
    assert EngineSettings(task_slots=3).slots == 3


def test_a_process_keeps_its_name_over_restarts():
    assert EngineSettings(worker_name="green").name_of("task-worker").startswith("green@")
    assert EngineSettings().name_of("task-worker") == EngineSettings().name_of("task-worker")


def test_a_process_serves_the_default_queue_or_those_it_is_given(monkeypatch):
    assert queues_of("task") == ("task",)
    monkeypatch.setenv("LIGHTFLOW_QUEUES", "task, gpu,,task")
    assert queues_of("task") == ("task", "gpu")


def test_a_service_never_takes_another_ones_messages():
    assert queue_list("task-worker", "x") != queue_list("dag-runner", "x")


def test_the_broker_is_the_redis_of_the_notifications_unless_another_is_named():
    assert (
        broker_url(config_of(celery={"broker_url": None}, signal={"host": "h", "port": 1, "database": 2}))
        == "redis://h:1/2"
    )
    assert (
        broker_url(config_of(celery={"broker_url": None}, signal={"uri": "unix:///r.sock"})) == "redis+socket:///r.sock"
    )
    assert broker_url(config_of(celery={"broker_url": "redis://other/0"})) == "redis://other/0"


def test_passwords_reach_the_servers_and_no_list():
    assert signal_url(config_of(signal={"host": "h", "port": 1, "password": "p@/"})) == "redis://:p%40%2F@h:1/0"
    assert masked("redis://:p@h:1/0") == "redis://:***@h:1/0"
    assert masked("redis://h:1/0") == "redis://h:1/0"


def test_the_stores_credentials_are_quoted():
    uri = store_uri(config_of(store={"host": "h", "port": 1, "username": "u@x", "password": "p:/", "auth_source": "a"}))
    assert uri == "mongodb://u%40x:p%3A%2F@h:1/?authSource=a"
    assert store_uri(config_of(store={"uri": "mongodb://there"})) == "mongodb://there"


def test_users_settings_do_not_undo_what_the_design_fixes():
    given = {"task_serializer": "pickle", "accept_content": ["pickle"], "result_backend": "redis://elsewhere"}
    app = make_app(config_of(celery={**given, "task_ignore_result": False}), "test")
    assert app.conf.task_serializer == "json"
    assert app.conf.accept_content == ["json"]
    assert app.conf.result_backend is None
    assert app.conf.task_ignore_result is True


def test_a_process_that_ended_has_no_start_time():
    assert process_started(os.getpid()) == process_started(os.getpid()) is not None
    assert process_started(2**22 + 1) is None


@pytest.mark.parametrize(
    "engine", [{"self_fence": 40.0}, {"lease_interval": 26.0}, {"task_slots": -1}, {"hint_bound": 0}]
)
def test_times_and_counts_that_cannot_work_are_refused_by_name(engine):
    with pytest.raises(ConfigFieldError, match=f"engine.*{next(iter(engine))}"):
        EngineSettings.from_config(config_of(engine=engine))
