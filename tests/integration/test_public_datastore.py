import asyncio
from datetime import datetime

import pytest
from pymongo import MongoClient

from lightflow.config import Config
from lightflow.models import DataStore, DataStoreDocumentSection
from lightflow.models.exceptions import DataStoreNotConnected
from lightflow.runtime.signing import write_key

META = DataStoreDocumentSection.Meta
START, END = datetime(2024, 1, 1, 12, 0, 0), datetime(2024, 1, 1, 12, 0, 2, 500000)


@pytest.fixture
def client(mongo_uri, database_name):
    with MongoClient(mongo_uri) as client:
        yield client
        client.drop_database(database_name)


@pytest.fixture
def store(client, mongo_uri, database_name, tmp_path, monkeypatch):
    write_key(tmp_path / "key")
    monkeypatch.setenv("LIGHTFLOW_ENGINE_SIGNING_KEY_FILE", str(tmp_path / "key"))
    with DataStore(mongo_uri, 27017, database_name) as store:
        yield store


def test_a_document_keeps_values_and_objects(store):
    document = store.get(store.add({"owner": "me"}))
    assert document.set("a.b", (1, 2))
    assert document.push("a.l", 1)
    assert document.extend("a.l", [2, 3])
    assert document.extend("a.l", "no list") is False
    assert document.get("a") == {"b": (1, 2), "l": [1, 2, 3]}
    assert document.get("none", "default") == "default"
    assert document.get("owner", section=META) == "me"


def test_a_document_exists_until_it_is_removed(store):
    workflow_id = store.add()
    assert len(workflow_id) == 24
    assert store.exists(workflow_id)
    store.remove(workflow_id)
    assert not store.exists(workflow_id)
    assert store.get(workflow_id) is None


def test_a_store_that_is_not_connected_says_so(mongo_uri, database_name):
    store = DataStore(mongo_uri, 27017, database_name)
    assert not store.is_connected
    with pytest.raises(DataStoreNotConnected, match="connect"):
        store.exists("0" * 24)


def test_a_server_that_does_not_answer_is_named():
    with DataStore("127.0.0.1", 1, "x", connect_timeout=50) as store, pytest.raises(DataStoreNotConnected, match="127"):
        store.exists("0" * 24)


def test_an_address_is_named_without_its_password():
    uri = "mongodb://me:hidden@127.0.0.1:1/"
    with (
        DataStore("", 0, "x", uri=uri, connect_timeout=50) as store,
        pytest.raises(DataStoreNotConnected, match=r"me:\*\*\*@127") as caught,
    ):
        store.exists("0" * 24)
    assert "hidden" not in str(caught.value)


def test_a_configuration_says_where_its_store_is(mongo_uri, database_name, store):
    config = Config()
    config.load_from_dict({"store": {"uri": mongo_uri, "database": database_name, "connect_timeout": 30000}})
    workflow_id = store.add()
    with DataStore(**config.data_store, handle_reconnect=True) as same:
        assert same.exists(workflow_id)


def test_the_server_tells_its_version(store):
    assert "version" in store.server_info


def test_the_store_works_where_an_event_loop_runs_already(store):
    async def inside():
        return store.exists("0" * 24)

    assert asyncio.run(inside()) is False


def test_the_meta_section_tells_what_has_started(store, client, database_name):
    run, database = "a" * 24, client[database_name]
    database.runs.insert_one({"_id": run, "workflow": "flow", "queue": "workflow", "started_at": START})
    times = {"started_at": START, "finished_at": END}
    database.dag_runs.insert_one({"_id": f"{run}:main:1", "run": run, "name": "main:1", **times})
    database.dag_runs.insert_one({"_id": f"{run}:later:1", "run": run, "name": "later:1", "started_at": None})
    attempt = {"worker": "w@host", "started_at": START}
    task = {"run": run, "dag": "main:1", "queue": "task"}
    late = {"started_at": END, "worker": "v@host"}
    database.task_runs.insert_many(
        [
            {**task, "_id": 1, "task": "waiting", "attempts": []},
            {**task, "_id": 2, "task": "second", "attempts": [late]},
            {**task, "_id": 3, "task": "first", "attempts": [attempt, attempt], **times},
        ]
    )
    document = store.get(run)
    assert document.get("name", section=META) == "flow"
    assert document.get("start_time", section=META) == START
    log = document.get("log", section=META)
    assert list(log) == ["main:1"]
    assert list(log["main:1"]["tasks"]) == ["first", "second"]
    assert log["main:1"]["duration"] == 2.5
    assert log["main:1"]["tasks"]["first"] == {
        "start_time": START,
        "end_time": END,
        "duration": 2.5,
        "worker": "w@host",
        "queue": "task",
    }
    assert document.get("log.main:1.tasks.second", section=META) == {
        "start_time": END,
        "worker": "v@host",
        "queue": "task",
    }
    document.set("log.main:1.note", "mine", section=META)
    document.set("name", "other", section=META)
    assert document.get("name", section=META) == "other"
    assert list(document.get("log.main:1", section=META)) == ["start_time", "end_time", "duration", "tasks", "note"]
