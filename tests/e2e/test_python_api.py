"""The functions of `lightflow.workflows` and `lightflow.workers` on the real system: jobs, events, stops, data."""

import time
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.support import PATIENCE, write_workflow

from lightflow.client import Client
from lightflow.config import Config
from lightflow.local.stack import Stack
from lightflow.models import Dag, DataStore, DataStoreDocumentSection
from lightflow.models.exceptions import (
    InvalidRequest,
    ResultMissing,
    TaskUnknown,
    WorkerUnknown,
    WorkflowArgumentError,
    WorkflowDefinitionError,
    WorkflowImportError,
    WorkflowUnknown,
)
from lightflow.queue import JobEventName, JobStatus, JobType
from lightflow.queue.event import JobEvent
from lightflow.runtime.mongo import store_uri
from lightflow.tasks import PythonTask
from lightflow.workers import list_workers, stop_worker
from lightflow.workflows import events, list_jobs, start_workflow, stop_workflow

UNSERVED = """
    def watch(data, store, signal, context):
        store.set("number", store.get("number") + 1)
        while not signal.is_stopped:
            pass

    parameters = Parameters([Option("number", type=int)])
    runs, fails = PythonTask("runs", watch), PythonTask("fails", lambda *_: 1 / 0, retries=1, retry_delay=600)
    main = Dag("main", schema={runs: PythonTask("follows"), fails: None, PythonTask("queued", queue="nobody"): None})
    other = Dag("other", queue="nobody", schema={PythonTask("never"): None})
"""

ENDS = """
    def stop(data, store, signal, context):
        raise StopTask("enough")

    def start(data, store, signal, context):
        signal.join_dags([signal.start_dag("sub")])

    main = Dag("main", schema={PythonTask("starts", start): PythonTask("fails", lambda *_: 1 / 0)})
    sub = Dag("sub", autostart=False, schema={PythonTask("stops", stop): PythonTask("skipped")})
"""


@pytest.fixture(scope="module")
def config(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Config]:
    """The configuration of the system; it is found through the store that this names."""
    config = Config.from_file(stack.info.config)
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("LIGHTFLOW_TARGET", raising=False)
        patch.setenv("LIGHTFLOW_DATA_DIR", str(tmp_path_factory.mktemp("none")))
        patch.setenv("LIGHTFLOW_ENGINE_SIGNING_KEY_FILE", config.engine["signing_key_file"])
        yield config


@pytest.fixture(scope="module")
def unserved(config: Config, stack: Stack, flows: Path) -> Iterator[str]:
    """A run with a job in every state, once each has come to it; it ends although nobody serves one of its DAGs."""
    write_workflow(flows, "unserved", UNSERVED)
    run_id = start_workflow("unserved", config, store_args={"number": "1"})
    waiting, running = {("task", "follows"), ("task", "fails")}, ("task", "runs")
    while jobs_of(run_id, config, status=JobStatus.Scheduled) != waiting or running not in jobs_of(run_id, config):
        pass
    yield run_id
    with Client(stack.target) as client:
        run = client.run(run_id)
        run.stop()
        assert run.wait(PATIENCE) == "stopped"


def jobs_of(run_id: str, config: Config, **filters: Any) -> set[tuple[str, str]]:
    return {(job.type, job.name) for job in list_jobs(config, **filters) if job.workflow_id == run_id}


def test_jobs_are_told_by_their_status(config: Config, unserved: str) -> None:
    waiting = start_workflow("unserved", config, queue="nobody", store_args={"number": 1})
    assert jobs_of(waiting, config, status=JobStatus.Registered) == {("workflow", "unserved")}
    stop_workflow(config, names=[waiting])
    assert jobs_of(unserved, config, status=JobStatus.Registered) == set()
    assert jobs_of(unserved, config) == {("workflow", "unserved"), ("dag", "main:1"), ("task", "runs")}
    assert jobs_of(unserved, config, status=JobStatus.Reserved) == {("dag", "other:1"), ("task", "queued")}
    assert jobs_of(unserved, config, status=JobStatus.Scheduled) == {("task", "follows"), ("task", "fails")}


def test_jobs_are_filtered_by_type_and_worker(config: Config, unserved: str) -> None:
    assert jobs_of(unserved, config, filter_by_type="dag") == {("dag", "main:1")}
    assert jobs_of(unserved, config, filter_by_type=[JobType.Workflow, JobType.Task]) == {
        ("workflow", "unserved"),
        ("task", "runs"),
    }
    (task,) = (job for job in list_jobs(config, filter_by_type="task") if job.workflow_id == unserved)
    assert ("task", "runs") in jobs_of(unserved, config, filter_by_worker=task.worker_name)
    assert jobs_of(unserved, config, filter_by_worker=["nobody@nowhere"]) == set()
    with pytest.raises(InvalidRequest, match="task"):
        list_jobs(config, filter_by_type="taks")
    with pytest.raises(InvalidRequest, match="JobStatus"):
        list_jobs(config, status=4)


def test_a_job_tells_where_it_runs_and_since_when(config: Config, unserved: str) -> None:
    jobs = {job.type: job for job in list_jobs(config) if job.workflow_id == unserved}
    run, task = jobs["workflow"], jobs["task"]
    assert (run.id, run.arguments, run.queue, run.routing_key) == (unserved, {"number": 1}, "workflow", "workflow")
    assert {job.acknowledged for job in jobs.values()} == {True}
    assert run.start_time is not None
    assert task.start_time is not None
    assert run.start_time <= task.start_time
    workers = {worker.name: worker for worker in list_workers(config)}
    assert {job.worker_name for job in jobs.values()} <= set(workers)
    assert {job.worker_pid for job in jobs.values()} <= {worker.pid for worker in workers.values()}
    assert task.to_dict()["name"] == "runs"
    assert list_workers(config, filter_by_queues="graphics")[0].to_dict()["concurrency"] == 4


def test_runs_are_stopped_by_the_name_of_their_workflow_their_id_or_the_id_of_a_job(
    config: Config, client: Client, flows: Path
) -> None:
    write_workflow(flows, "three_runs", 'main = Dag("main", schema={PythonTask("never", queue="nobody"): None})')
    runs = [start_workflow("three_runs", config) for _ in range(3)]
    while not (dag := [job.id for job in list_jobs(config, filter_by_type="dag") if job.workflow_id == runs[1]]):
        pass
    for names, stopped in ((runs[0], [runs[0]]), (dag, [runs[1]]), (["three_runs"], [runs[2]]), ("three_runs", [])):
        asked, failed = stop_workflow(config, names=names)
        assert ([job.workflow_id for job in asked], failed) == (stopped, [])
        for run_id in stopped:
            assert client.run(run_id).wait(PATIENCE) == "stopped"


def test_events_are_told_from_the_call_on_each_once_and_a_failure_as_aborted(
    config: Config, client: Client, flows: Path
) -> None:
    write_workflow(flows, "ends", ENDS)
    happens = events(config)
    run = client.run(start_workflow("ends", config))
    run.wait(PATIENCE)
    told: list[JobEvent] = []
    for event in happens:
        if event.workflow_id == run.id:
            told.append(event)
            if event.type == JobType.Workflow and event.event != JobEventName.Started:
                break
    assert {(event.type, event.name, event.event.rpartition("-")[2]) for event in told} == {
        ("workflow", "ends", "started"), ("workflow", "ends", "aborted"),
        ("dag", "main:1", "started"), ("dag", "main:1", "aborted"),
        ("dag", "sub:1", "started"), ("dag", "sub:1", "succeeded"),
        ("task", "starts", "started"), ("task", "starts", "succeeded"),
        ("task", "stops", "started"), ("task", "stops", "stopped"),
        ("task", "fails", "started"), ("task", "fails", "aborted"),
    }  # fmt: skip
    assert len({event.uuid for event in told}) == len(told) == 12
    workers = {worker.name for worker in list_workers(config)}
    for event in told:
        assert event.hostname in workers
        assert event.pid > 0
        assert (event.duration is None) == (event.event == JobEventName.Started)
        assert event.to_dict()["event_time"].tzinfo is None
    begun = [event.name for event in takewhile(lambda event: event.name != "stops", told)]
    assert begun.index("ends") < begun.index("main:1") < begun.index("starts")


def test_a_start_that_is_refused_says_why_and_leaves_no_run(config: Config, client: Client, flows: Path) -> None:
    write_workflow(flows, "unserved", UNSERVED)
    for given, told in (({}, "number"), ({"number": "many"}, "'many'")):
        with pytest.raises(WorkflowArgumentError, match=told):
            start_workflow("unserved", config, store_args=given)
    with pytest.raises(WorkflowImportError, match="unserved") as raised:
        start_workflow("unservd", config)
    assert isinstance(raised.value, WorkflowUnknown)
    assert (raised.value.name, "unserved" in raised.value.known) == ("unservd", True)
    assert list(client.runs(workflow="unservd")) == []


def test_a_file_that_is_refused_is_named_by_its_own_path(client: Client, tmp_path: Path) -> None:
    broken = write_workflow(tmp_path, "broken", "import no_such_module_anywhere")
    with pytest.raises(WorkflowImportError, match="no_such_module_anywhere") as raised:
        client.start(broken)
    assert (raised.value.file, raised.value.line) == (str(broken), 5)
    assert str(broken) in str(raised.value)
    unchecked = "a = PythonTask('a'); main = Dag('main'); main.define({a: a}, validate=False)"
    for body, told in (("main = Dag('main')", "no schema"), (unchecked, "a -> a")):
        with pytest.raises(WorkflowDefinitionError, match=told) as refused:
            client.start(write_workflow(tmp_path, "graph", body))
        assert (refused.value.workflow_name, refused.value.graph_name) == ("graph", "main")


def test_a_result_that_there_is_not_says_why(client: Client) -> None:
    fails = Dag("main", schema={PythonTask("fails", lambda *_: 1 / 0): PythonTask("never")})
    run = client.start(fails)
    assert run.wait(PATIENCE) == "failed"
    for task, reason in (("main:1/fails", "it is failed"), ("never", "it is stopped")):
        with pytest.raises(ResultMissing) as raised:
            run.result(task)
        assert (raised.value.task, raised.value.reason) == (task, reason)
    with pytest.raises(TaskUnknown) as unknown:
        run.result("nevr")
    assert (unknown.value.run_id, unknown.value.known) == (run.id, ("fails", "never"))


@pytest.mark.parametrize("clear", [True, False])
def test_the_data_of_a_run_is_kept_where_that_was_asked_for(config: Config, client: Client, clear: bool) -> None:
    run = client.run(start_workflow("simple", config, clear_data_store=clear, store_args={"note": [1, 2]}))
    run.wait(PATIENCE)
    with DataStore(store_uri(config), 27017, config.data_store["database"]) as store:
        document = store.get(run.id)
        assert document is not None
        deadline = time.monotonic() + PATIENCE
        while clear and document.get("note") is not None:  # it is removed right after the end
            assert time.monotonic() < deadline, "the data of the run were not removed"
        assert document.get("note") == (None if clear else [1, 2])
        assert document.get("name", section=DataStoreDocumentSection.Meta) == "simple"


def test_only_workers_that_exist_are_stopped(config: Config) -> None:
    with pytest.raises(WorkerUnknown) as raised:
        stop_worker(config, worker_ids="nobody")
    assert raised.value.worker == "nobody"
