import io
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import click
import pytest
from rich.console import Console

from lightflow.cli.finding import meant
from lightflow.cli.live import picture
from lightflow.cli.render.board import Board
from lightflow.cli.render.board import picture as board_picture
from lightflow.cli.render.columns import columns
from lightflow.cli.render.documents import first_line, run_document
from lightflow.cli.render.failures import error_text, user_line
from lightflow.cli.render.progress import Progress
from lightflow.cli.render.runs import MOST_TASKS, run_details, summary
from lightflow.cli.render.times import span
from lightflow.cli.render.workflows import graph, workflow_lines
from lightflow.control.v1 import control_pb2 as pb
from lightflow.runtime.sources import as_given

NOW = datetime(2024, 5, 31, 12, 0, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(None, ""), (0.004, "0.00 s"), (3.21, "3.21 s"), (42.0, "42.0 s"), (192, "3 min 12 s"), (18120, "5 h 2 min"),
     (273600, "3 d 4 h")],
)  # fmt: skip
def test_durations_are_said_as_people_say_them(seconds: float | None, said: str) -> None:
    assert span(seconds) == said


def test_columns_are_as_wide_as_their_widest_cell_whatever_its_colour() -> None:
    table = columns(("A", "B"), [(click.style("long", fg="red"), "x"), ("s", "y")])
    assert [line.rstrip() for line in click.unstyle(table).splitlines()] == ["A     B", "long  x", "s     y"]


def test_a_column_that_is_empty_is_left_out_and_line_breaks_break_nothing() -> None:
    assert click.unstyle(columns(("A", "B"), [("a\nb", "")])) == "A\na b"


def test_no_line_ends_in_blanks_where_the_last_column_has_no_title() -> None:
    assert click.unstyle(columns(("A", ""), [("a", "why")])) == "A\na  why"


def test_a_folder_of_workflows_that_is_not_there_is_told_from_one_that_is_empty(tmp_path: Path) -> None:
    said = workflow_lines([], [str(tmp_path), str(tmp_path / "none")])
    assert f"({tmp_path}, {tmp_path / 'none'}: no such folder)" in said


def test_a_run_that_goes_on_has_nulls_where_nothing_is_set() -> None:
    document = run_document(pb.Run(run_id="x", workflow="w", state="pending"))
    unset = ("version", "started_at", "finished_at", "duration", "error")
    assert [document[name] for name in unset] == [None] * 5
    assert (document["arguments"], document["dags"]) == ({}, [])


def test_the_error_of_a_task_is_in_its_document() -> None:
    task = pb.Task(name="bad", state="failed", error=pb.Error(type="ValueError", message="no", traceback="T"))
    document = run_document(pb.Run(dags=[pb.DagRun(name="main:1", tasks=[task])]))
    assert document["dags"][0]["tasks"][0]["error"] == {
        "type": "ValueError", "message": "no", "traceback": "T", "task": None, "dag": None,
    }  # fmt: skip


def test_the_line_of_the_user_is_the_last_one_outside_of_libraries() -> None:
    traceback = (
        "Traceback (most recent call last):\n"
        '  File "/x/lib/python3.11/site-packages/lightflow/models/attempt.py", line 3, in run\n    task.run()\n'
        '  File "/home/me/flow.py", line 12, in work\n    json.loads("")\n'
        '  File "/usr/lib/python3.11/json/decoder.py", line 355, in raw_decode\n    raise JSONDecodeError\n'
        "json.decoder.JSONDecodeError: Expecting value\n"
    )
    assert user_line(traceback) == '/home/me/flow.py:12 in work: json.loads("")'
    assert user_line("") == ""
    assert user_line('  File "/usr/lib/python3.11/a.py", line 1, in f') == "/usr/lib/python3.11/a.py:1 in f"


def test_what_lightflow_itself_says_of_a_task_has_no_place_in_the_users_code() -> None:
    said_here = '  File "/x/python3.11/site-packages/lightflow/models/attempt.py", line 96, in _checked'
    assert user_line(said_here) == ""
    assert user_line('  File "/src/lightflow_task_worker/child/attempts.py", line 131, in _pickled') == ""


def test_an_uploaded_file_is_called_as_its_owner_calls_it() -> None:
    unpacked = f"/var/cache/uploads/{'0a' * 32}/flow.py"
    assert user_line(f'  File "{unpacked}", line 3, in work') == "flow.py:3 in work"
    assert (
        as_given(f"broken (File '{unpacked}', line 3)", Path("/home/me")) == "broken (File '/home/me/flow.py', line 3)"
    )


def test_an_error_without_a_message_is_named_by_its_type() -> None:
    assert click.unstyle(error_text(pb.Error(type="KeyError"))) == "Error: KeyError"


def test_details_count_the_time_of_what_still_runs() -> None:
    run = pb.Run(run_id="x", workflow="w", state="running")
    run.started_at.FromDatetime(datetime(2024, 5, 31, 12, 0, 3))
    assert "duration  7.00 s" in click.unstyle(run_details(run, NOW))


def test_a_large_summary_shows_what_did_not_succeed() -> None:
    tasks = [pb.Task(name=f"t{number}", state="succeeded") for number in range(MOST_TASKS + 1)]
    dag = pb.DagRun(name="main:1", state="failed", tasks=[*tasks, pb.Task(name="bad", state="failed")])
    said = click.unstyle(summary(pb.Run(run_id="x", workflow="w", state="failed", dags=[dag]), NOW))
    assert "t17" not in said
    assert "bad   failed" in said
    assert f"{MOST_TASKS + 1} of {MOST_TASKS + 2} tasks succeeded" in said
    assert said.endswith("Run x of w failed.")


def test_a_task_with_two_predecessors_is_drawn_in_full_once() -> None:
    dag = pb.Graph(name="d", autostart=False, tasks=[pb.GraphTask(name=name) for name in "abce"])
    for parent, child in (("a", "c"), ("b", "c"), ("c", "e")):
        dag.edges.add(parent=parent, child=child)
    lines = [line.rstrip() for line in click.unstyle(graph(dag)).splitlines()]
    assert lines == [
        "d  (DAG, started by a task)", "  a", "  └─ c", "     └─ e", "  b", "  └─ c (see above)",
    ]  # fmt: skip


def test_a_chain_of_thousands_of_tasks_can_be_drawn() -> None:
    names = [str(number) for number in range(3000)]
    dag = pb.Graph(name="d", tasks=[pb.GraphTask(name=name) for name in names])
    for parent, child in pairwise(names):
        dag.edges.add(parent=parent, child=child)
    assert len(graph(dag).splitlines()) == 3001


def test_a_docstring_is_shortened_to_its_first_line_with_text() -> None:
    assert first_line("\n\n  Does it.\n\nMore.") == "Does it."
    assert first_line("") == ""


def told(progress: Progress, *changed: pb.Task) -> list[str]:
    return [click.unstyle(line) for line in progress.update(pb.WatchRunResponse(changed=changed))]


def test_each_change_of_a_task_is_told_once() -> None:
    progress = Progress()
    assert told(progress, pb.Task(name="a", dag="d:1", state="waiting")) == []
    assert told(progress, pb.Task(name="a", dag="d:1", state="running", attempts=1)) == ["a started"]
    assert told(progress, pb.Task(name="a", dag="d:1", state="running", attempts=1)) == []
    assert told(progress, pb.Task(name="a", dag="d:1", state="queued", attempts=1)) == [
        "a will be tried again (attempt 2)"
    ]
    assert told(progress, pb.Task(name="a", dag="d:1", state="running", attempts=2)) == ["a started (attempt 2)"]
    failed = pb.Task(name="a", dag="d:1", state="failed", attempts=2, error=pb.Error(type="E", message="m", task="a"))
    assert told(progress, failed) == ["a failed: E: m (attempt 2)"]


def test_tasks_of_one_name_in_two_dag_runs_are_told_apart() -> None:
    progress = Progress()
    told(progress, pb.Task(name="a", dag="d:1", state="running"))
    assert told(progress, pb.Task(name="a", dag="d:2", state="skipped")) == ["d:2/a skipped"]
    assert progress.is_ambiguous("a")


def test_the_live_picture_shows_how_far_each_dag_run_is_and_what_runs() -> None:
    progress = Progress()
    states = ["succeeded", "skipped", "running", "waiting"]
    told(progress, *(pb.Task(name=f"t{n}", dag="main:1", state=state) for n, state in enumerate(states)))
    file = io.StringIO()
    Console(file=file, width=100).print(picture(progress))
    shown: Any = file.getvalue()
    assert "main:1" in shown
    assert "2/4" in shown
    assert "t2" in shown
    assert "t3" not in shown


def event(name: str, what: str, number: int, **fields: Any) -> pb.Event:
    return pb.Event(id=f"{name}:{what}", type="task", dag="main:1", name=name, event=f"task-lightflow-{what}",
                    state=what, run_id="65f1a0c3d2e4b5a697887766", attempt=number, **fields)  # fmt: skip


def test_the_board_updates_what_began_and_keeps_what_goes_on() -> None:
    board = Board()
    board.take(event("long", "started", 1))
    for number in range(20):
        board.take(event(f"t{number}", "started", 1))
        board.take(event(f"t{number}", "succeeded", 1))
    board.take(event("long", "started", 2))
    board.take(event("last", "succeeded", 1))
    shown = [(each.name, each.event.rpartition("-")[2], each.attempt) for each in board.rows(3)]
    assert shown == [("t19", "succeeded", 1), ("long", "started", 2), ("last", "succeeded", 1)]
    assert board.summary().startswith("1 going on, 43 events so far.")


def test_the_board_fits_any_terminal() -> None:
    board = Board()
    for number in range(50):
        board.take(event(f"a task with a rather long name {number}", "succeeded", 1, queue="q" * 30, worker="w" * 30))
    for width, height in ((200, 50), (80, 24), (40, 5), (20, 3)):
        console = Console(file=io.StringIO(), width=width, height=height)
        console.print(board_picture(board, "%H:%M:%S", True, height))
        lines = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
        assert len(lines) <= height
        assert all(len(line) <= width for line in lines)


def test_a_misspelt_run_is_answered_with_the_nearest_and_an_unlike_one_with_nothing() -> None:
    runs = [("65f1a0c3d2e4b5a697887766", "simple")]
    assert meant("65f1a0c3d2e4b5a697887767", runs) == ".\nDid you mean 65f1a0c3d2e4b5a697887766?"
    assert meant("zzzz", runs) == ""
