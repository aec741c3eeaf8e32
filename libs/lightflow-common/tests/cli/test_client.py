import io
import pickle
import zipfile
from pathlib import Path
from typing import Any

import bson
import pytest

from lightflow.client import Client
from lightflow.control.v1 import control_pb2 as pb
from lightflow.core.errors import (
    ConfigFieldUnknown,
    LightflowException,
    RequestFailed,
    WorkflowImportError,
    WorkflowUnknown,
)
from lightflow.core.states import State
from lightflow.open_runs import Known

RUN_ID = "65f1a0c3d2e4b5a697887766"


def test_a_run_is_started_by_name_with_python_values(control: Any) -> None:
    with Client() as client:
        run = client.start("simple", days=3, workflow="also a name")
    assert (run.id, run.workflow) == (RUN_ID, "simple")
    arguments = {argument.name: argument.encoded for argument in control.requests(pb.StartRunRequest)[0].arguments}
    assert bson.decode(arguments["days"].data) == {"v": 3}
    assert bson.decode(arguments["workflow"].data) == {"v": "also a name"}


def test_a_file_is_uploaded(control: Any, folder: Path) -> None:
    (folder / "flow.py").write_text("")
    with Client() as client:
        client.start(folder / "flow.py")
        client.start("flow.py")
        with pytest.raises(WorkflowImportError, match=r"no workflow file 'other\.py'"):
            client.start("other.py")
    assert [request.upload for request in control.requests(pb.StartRunRequest)] == ["handle", "handle"]


def test_a_client_reads_the_configuration_file_as_the_command_lines_do(control: Any, folder: Path) -> None:
    (folder / "lightflow.cfg").write_text("libraries: [libs]\n")
    (folder / "libs").mkdir()
    (folder / "libs" / "shared.py").write_text("")
    (folder / "flow.py").write_text("")
    with Client() as client:
        client.start("flow.py")
    archive = b"".join(part.chunk for part in control.requests(pb.UploadWorkflowRequest))
    assert any(name.endswith("shared.py") for name in zipfile.ZipFile(io.BytesIO(archive)).namelist())
    (folder / "lightflow.cfg").write_text("librarys: []\n")
    with pytest.raises(ConfigFieldUnknown, match="'libraries'"):
        Client()


def test_a_closed_client_says_so(control: Any) -> None:
    with Client() as client:
        run = client.start("simple")
    for call in (lambda: client.start("simple"), run.stop, lambda: list(run.logs())):
        with pytest.raises(RequestFailed, match="inside its `with` block"):
            call()


def test_what_is_no_workflow_is_refused(control: Any) -> None:
    with Client() as client, pytest.raises(LightflowException, match="not a list"):
        client.start([])  # type: ignore[arg-type]


def test_errors_of_the_service_are_raised_as_they_are(control: Any) -> None:
    with Client() as client, pytest.raises(WorkflowUnknown, match="did you mean 'simple'"):
        client.start("simpel")


def test_wait_gives_the_final_state(control: Any) -> None:
    with Client() as client:
        run = client.start("simple")
        assert run.wait(timeout=30) is State.SUCCEEDED
        assert run.state is State.SUCCEEDED
        assert run.error is None


def test_who_waits_for_one_run_need_not_ask_for_others_that_have_ended_by_then(control: Any) -> None:
    ids = [f"{number:024x}" for number in range(1, 4)]
    with Client() as client:
        control.runs = {run_id: control.make_run("running", run_id) for run_id in ids}
        first, second, third = [client.run(run_id) for run_id in ids]
        for run_id in ids[:2]:
            control.runs[run_id].state = "succeeded"
        assert (first.wait(30), second.wait(30)) == (State.SUCCEEDED, State.SUCCEEDED)
        (asked,) = control.requests(pb.WaitRunRequest)
        assert (asked.run_id, list(asked.others)) == (ids[0], ids[1:])
        del second
        with pytest.raises(TimeoutError):
            third.wait(0.1)
        assert list(control.requests(pb.WaitRunRequest)[-1].others) == []


def test_wait_gives_up_after_its_timeout(control: Any) -> None:
    running = control.make_run("running")
    control.runs[RUN_ID] = running
    with Client() as client:
        run = client.run(RUN_ID)
        with pytest.raises(TimeoutError, match=r"is running after 0\.1 s"):
            run.wait(timeout=0.1)
        assert run.state is State.RUNNING


def test_wait_gives_up_no_sooner_where_the_clock_of_the_service_goes_faster(control: Any) -> None:
    control.runs[RUN_ID] = control.make_run("running")
    control.hasty = True
    with Client() as client, pytest.raises(TimeoutError, match="is running"):
        client.run(RUN_ID).wait(timeout=0.2)
    assert len(control.requests(pb.WaitRunRequest)) > 1


def test_a_late_answer_of_an_open_run_does_not_undo_its_end() -> None:
    known = Known(pb.Run(run_id=RUN_ID, state="running"))
    for state in ("succeeded", "running"):
        known.hear(pb.Run(run_id=RUN_ID, state=state))
    assert known.message.state == "succeeded"


def test_the_result_of_a_task_is_its_data(control: Any) -> None:
    control.data["first"] = pickle.dumps({"answer": 42})
    with Client() as client:
        assert client.run(RUN_ID).result("first") == {"answer": 42}


def test_logs_are_lines(control: Any) -> None:
    control.pieces = [
        pb.StreamLogsResponse(task="first", dag="main:1", attempt=1, text=text) for text in (b"a\nb", b"c")
    ]
    with Client() as client:
        assert [(line.task, str(line)) for line in client.run(RUN_ID).logs()] == [("first", "a"), ("first", "bc")]


def test_stop_asks_the_service(control: Any) -> None:
    with Client() as client:
        client.run(RUN_ID).stop(now=True)
    assert control.requests(pb.StopRunRequest)[0].now


def test_runs_workflows_and_events_are_listed(control: Any) -> None:
    event = pb.Event(id="e", type="task", event="task-lightflow-started", state="running", name="first", run_id=RUN_ID)
    control.events = [control.stamp(event, time=1)]
    with Client() as client:
        assert [run.id for run in client.runs(states=("succeeded",))] == [RUN_ID]
        assert [workflow.name for workflow in client.workflows()] == ["simple"]
        assert [event.to_dict()["workflow_id"] for event in client.events()] == [RUN_ID]
