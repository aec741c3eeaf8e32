"""What `signal`, `store` and `context` ask for, and the cheapness of the imports."""

import subprocess
import sys
from typing import Any

import pytest

import lightflow.models
from lightflow.core.errors import InvalidRequest
from lightflow.models import (
    Dag,
    DagSignal,
    DataStoreDocument,
    DataStoreDocumentSection,
    MultiTaskData,
    TaskContext,
    TaskData,
    TaskSignal,
)


class Recorder:
    """Keeps every call, and answers each with its arguments."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []

    def __getattr__(self, name: str) -> Any:
        def call(*arguments: Any) -> Any:
            self.calls.append((name, *arguments))
            return True

        return call


@pytest.fixture
def calls() -> Any:
    return Recorder()


def test_start_dag_takes_a_dag_or_its_name(calls: Any) -> None:
    data = MultiTaskData()
    TaskSignal(calls).start_dag(Dag("sub"), data=data)
    TaskSignal(calls).start_dag("sub")
    assert calls.calls == [("start_dag", "sub", data), ("start_dag", "sub", None)]


@pytest.mark.parametrize("data", [TaskData({"x": 1}), {"x": 1}])
def test_start_dag_takes_a_single_dataset_too(calls: Any, data: Any) -> None:
    TaskSignal(calls).start_dag("sub", data=data)
    assert calls.calls[0][2]["x"] == 1


def test_start_dag_refuses_what_is_no_data(calls: Any) -> None:
    wrong: Any = 5
    with pytest.raises(InvalidRequest, match="not a int"):
        TaskSignal(calls).start_dag("sub", data=wrong)


def test_start_dag_refuses_what_is_no_dag(calls: Any) -> None:
    wrong: Any = 5
    with pytest.raises(InvalidRequest, match="a Dag or its name, not a int"):
        TaskSignal(calls).start_dag(wrong)


def test_join_dags_without_names_means_all(calls: Any) -> None:
    assert TaskSignal(calls).join_dags()
    assert calls.calls == [("join_dags", None)]


def test_join_dags_ignores_none_among_the_names(calls: Any) -> None:
    TaskSignal(calls).join_dags([None, "a:1"])
    TaskSignal(calls).join_dags([None])
    TaskSignal(calls).join_dags("a:1")
    assert calls.calls == [("join_dags", ["a:1"]), ("join_dags", []), ("join_dags", ["a:1"])]


def test_stopping_speaks_of_the_own_dag_unless_told_otherwise(calls: Any) -> None:
    signal = TaskSignal(calls)
    assert signal.stop_dag()
    assert signal.stop_dag("a:1")
    assert signal.stop_workflow()
    assert calls.calls == [("stop_dag", None), ("stop_dag", "a:1"), ("stop_workflow",)]


def test_is_stopped_asks_the_calls(calls: Any) -> None:
    assert TaskSignal(calls).is_stopped
    assert DagSignal(calls).is_stopped


def test_the_store_speaks_of_the_data_section_unless_told_otherwise(calls: Any) -> None:
    store = DataStoreDocument(calls)
    store.get("a.b", 5)
    store.set("a", 1, section=DataStoreDocumentSection.Meta)
    store.push("a", 2)
    store.extend("a", [3])
    assert calls.calls == [
        ("get", "a.b", 5, "data"),
        ("set", "a", 1, "meta"),
        ("push", "a", 2, "data"),
        ("extend", "a", [3], "data"),
    ]


@pytest.mark.parametrize("section", ["Data", "", None])
def test_a_section_that_does_not_exist_is_refused(calls: Any, section: Any) -> None:
    store = DataStoreDocument(calls)
    for ask in (store.get, lambda key, **which: store.set(key, 1, **which)):
        with pytest.raises(InvalidRequest, match="there are data and meta"):
            ask("a", section=section)
    assert calls.calls == []


def test_extend_with_anything_but_a_list_is_false(calls: Any) -> None:
    values: Any = (1, 2)
    assert DataStoreDocument(calls).extend("a", values) is False
    assert calls.calls == []


def test_the_context_knows_where_a_task_runs() -> None:
    context = TaskContext("t", "main:1", "flow", "id", "host", 2)
    assert context.to_dict() == {
        "task_name": "t",
        "dag_name": "main:1",
        "workflow_name": "flow",
        "workflow_id": "id",
        "worker_hostname": "host",
        "attempt": 2,
    }


def test_models_have_no_other_names_than_they_say() -> None:
    with pytest.raises(AttributeError, match="Nonsense"):
        lightflow.models.Nonsense  # noqa: B018


@pytest.mark.parametrize(
    ("module", "heavy"),
    [
        ("lightflow", "lightflow.config asyncio celery pymongo redis grpc networkx ruamel.yaml dataclasses"),
        ("lightflow.tasks", "celery pymongo bson redis grpc networkx ruamel.yaml asyncio cloudpickle"),
        ("lightflow.config", "celery pymongo redis grpc networkx ruamel.yaml asyncio"),
    ],
)
def test_an_import_brings_nothing_heavy(module: str, heavy: str) -> None:
    code = f"import {module}, sys; print(*[name for name in {heavy.split()} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_the_top_level_names_resolve() -> None:
    from lightflow import Config, __version__, default_config

    assert Config.default() == default_config
    assert __version__ == "2.0.0"
