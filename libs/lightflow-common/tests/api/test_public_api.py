"""What others import and call: names, keywords, their order and their defaults are a contract."""

import inspect
from collections.abc import Callable
from importlib import import_module
from typing import Any

import pytest

from lightflow.client import Client, Run
from lightflow.config import Config
from lightflow.core import errors
from lightflow.models import (
    Action,
    BaseTask,
    Dag,
    DataStore,
    DataStoreDocument,
    MultiTaskData,
    Option,
    TaskData,
    TaskParameters,
    TaskSignal,
    Workflow,
)
from lightflow.models.exceptions import LightflowException
from lightflow.queue import DefaultJobQueueName, JobEventName, JobStatus, JobType
from lightflow.queue.event import JobEvent
from lightflow.queue.models import JobStats, WorkerStats
from lightflow.tasks import BashTask, PythonTask
from lightflow.workers import list_workers, start_worker, stop_worker
from lightflow.workflows import events, list_jobs, list_workflows, start_workflow, stop_workflow

NAMES = {
    "lightflow": "Config default_config __version__",
    "lightflow.models": "Workflow Dag BaseTask TaskStatus TaskParameters Parameters Option Action TaskData"
    " MultiTaskData DataStore DataStoreDocument DataStoreDocumentSection TaskSignal DagSignal AbortWorkflow StopTask",
    "lightflow.models.exceptions": "LightflowException ConfigLoadError ConfigOverwriteError ConfigNotDefinedError"
    " ConfigFieldError WorkflowArgumentError WorkflowImportError WorkflowDefinitionError DirectedAcyclicGraphInvalid"
    " DirectedAcyclicGraphUndefined DataInvalidIndex DataInvalidAlias DataStoreNotConnected DataStoreIDExists"
    " DataStoreIDInvalid DataStoreGridfsIdInvalid DataStoreDecodeUnknownType TaskReturnActionInvalid"
    " RequestActionUnknown RequestFailed DagNameUnknown EventTypeUnknown JobEventTypeUnsupported"
    " WorkerEventTypeUnsupported JobStatInvalid AbortWorkflow StopTask",
    "lightflow.tasks": "PythonTask BashTask",
    "lightflow.queue": "DefaultJobQueueName JobType JobStatus JobEventName",
    "lightflow.queue.const": "DefaultJobQueueName JobType JobStatus JobEventName",
    "lightflow.config": "Config LIGHTFLOW_CONFIG_ENV LIGHTFLOW_CONFIG_NAME",
    "lightflow.logger": "get_logger",
    "lightflow.workflows": "start_workflow stop_workflow list_workflows list_jobs events",
    "lightflow.workers": "start_worker stop_worker list_workers",
    "lightflow.client": "Client",
    "lightflow.local": "run",
}

OPTIONS = (
    "queue='task', callback_init=None, callback_finally=None, force_run=False, propagate_skip=True, retries=0,"
    " retry_delay=0.0, retry_backoff=1.0, retry_jitter=0.0, retry_on=None, timeout=None"
)
SIGNATURES: list[tuple[Callable[..., Any], str]] = [
    (Option, "name, default=None, help=None, type=<class 'str'>"),
    (Dag, "name, *, autostart=True, queue='dag', schema=None"),
    (Dag.define, "self, schema, *, validate=True"),
    (BaseTask, f"name, *, {OPTIONS}"),
    (BaseTask.run, "self, data, store, signal, context"),
    (PythonTask, "name, callback=None, **options"),
    (
        BashTask,
        "name, command, cwd=None, env=None, user=None, group=None, stdin=None, refresh_time=0.1, capture_stdout=False,"
        " capture_stderr=False, callback_process=None, callback_end=None, callback_stdout=None, callback_stderr=None,"
        " **options",
    ),
    (TaskParameters.eval, "self, data, store, *, exclude=None"),
    (TaskParameters.eval_single, "self, key, data, store"),
    (TaskData, "data=None, *, task_history=None"),
    (MultiTaskData, "*, dataset=None, aliases=None"),
    (MultiTaskData.add_dataset, "self, task_name, dataset=None, *, aliases=None"),
    (MultiTaskData.flatten, "self, in_place=True"),
    (Action, "data, limit=None"),
    (Workflow, "queue='workflow', clear_data_store=True"),
    (Workflow.from_name, "name, *, queue='workflow', clear_data_store=True, arguments=None"),
    (Workflow.load, "self, name, *, arguments=None, validate_arguments=True, strict_dag=False"),
    (
        DataStore,
        "host, port, database, *, username=None, password=None, auth_source='admin', auth_mechanism=None,"
        " connect_timeout=30000, auto_connect=False, handle_reconnect=True, uri=None",
    ),
    (DataStoreDocument.get, "self, key, default=None, *, section='data'"),
    (DataStoreDocument.set, "self, key, value, *, section='data'"),
    (DataStoreDocument.push, "self, key, value, *, section='data'"),
    (DataStoreDocument.extend, "self, key, values, *, section='data'"),
    (TaskSignal.start_dag, "self, dag, *, data=None"),
    (TaskSignal.join_dags, "self, names=None"),
    (TaskSignal.stop_dag, "self, name=None"),
    (TaskSignal.stop_workflow, "self"),
    (Config.from_file, "filename, *, strict=True"),
    (Config.load_from_file, "self, filename=None, *, strict=True"),
    (Config.load_from_dict, "self, conf_dict=None"),
    (Config.default, ""),
    (start_workflow, "name, config, *, queue='workflow', clear_data_store=True, store_args=None"),
    (stop_workflow, "config, *, names=None"),
    (list_workflows, "config"),
    (list_jobs, "config, *, status=0, filter_by_type=None, filter_by_worker=None"),
    (events, "config"),
    (start_worker, "queues, config, *, name=None, celery_args=None, check_datastore=True"),
    (stop_worker, "config, *, worker_ids=None"),
    (list_workers, "config, *, filter_by_queues=None"),
    (Client, "target=None, *, config=None"),
    (Client.start, "self, workflow, /, **arguments"),
    (Run.wait, "self, timeout=None"),
    (Run.result, "self, task"),
    (Run.stop, "self, now=False"),
]


@pytest.mark.parametrize("module", NAMES)
def test_the_public_names_are_where_the_documents_say(module: str) -> None:
    found = import_module(module)
    assert [name for name in NAMES[module].split() if not hasattr(found, name)] == []


@pytest.mark.parametrize(("function", "signature"), SIGNATURES, ids=lambda value: getattr(value, "__qualname__", ""))
def test_the_public_functions_take_what_the_documents_say(function: Callable[..., Any], signature: str) -> None:
    parameters = [p.replace(annotation=p.empty) for p in inspect.signature(function).parameters.values()]
    assert str(inspect.Signature(parameters)) == f"({signature})"


@pytest.mark.parametrize("task", [PythonTask, BashTask])
def test_the_task_types_that_ship_take_the_options_of_every_task(task: type[BaseTask]) -> None:
    options = {p.name: p.default for p in inspect.signature(BaseTask).parameters.values() if p.kind is p.KEYWORD_ONLY}
    arguments = {"command": "true"} if task is BashTask else {}
    assert task("t", **arguments, **options).name == "t"
    with pytest.raises(TypeError, match="nosuch"):
        task("t", **arguments, nosuch=1)


def test_every_error_is_importable_of_one_family_and_a_runtime_error() -> None:
    public = vars(import_module("lightflow.models.exceptions"))
    family = {name: cls for name, cls in vars(errors).items() if isinstance(cls, type)}
    assert {name for name, cls in family.items() if public.get(name) is not cls} == set()
    assert all(issubclass(cls, LightflowException) and issubclass(cls, RuntimeError) for cls in family.values())


@pytest.mark.parametrize("name", NAMES["lightflow.models.exceptions"].split())
def test_the_errors_of_old_need_no_argument_and_take_a_text(name: str) -> None:
    cls = getattr(import_module("lightflow.models.exceptions"), name)
    assert str(cls()) or name in ("LightflowException", "AbortWorkflow", "StopTask")
    assert "what" in str(cls("what"))


@pytest.mark.parametrize("kind", [errors.WorkflowUnknown, errors.WorkflowUnpicklable, errors.LoadTimeout])
def test_whatever_keeps_a_workflow_from_being_loaded_is_an_import_error(kind: type[LightflowException]) -> None:
    assert issubclass(kind, errors.WorkflowImportError)


def test_the_constants_have_the_values_that_others_store() -> None:
    for names in (DefaultJobQueueName, JobType):
        assert (names.Workflow, names.Dag, names.Task) == ("workflow", "dag", "task")
    assert len({JobStatus.Active, JobStatus.Registered, JobStatus.Reserved, JobStatus.Scheduled}) == 4
    for word in ("Started", "Succeeded", "Stopped", "Aborted"):
        assert getattr(JobEventName, word) == f"task-lightflow-{word.lower()}"


def test_the_records_have_the_attributes_that_the_documents_say() -> None:
    assert " ".join(JobStats.__dataclass_fields__) == (
        "name id type workflow_id queue start_time arguments acknowledged func_name hostname worker_name worker_pid"
        " routing_key"
    )
    assert " ".join(WorkerStats.__dataclass_fields__) == "name broker pid process_pids concurrency job_count queues ids"
    assert " ".join(JobEvent.__dataclass_fields__) == (
        "uuid type event queue hostname pid name workflow_id event_time duration"
    )
