from datetime import UTC, datetime, timedelta

import pytest
from bson.binary import Binary

from lightflow.control.v1 import control_pb2 as pb
from lightflow.core import joins
from lightflow.core.errors import InvalidRequest, JoinImpossible, WorkflowImportError, WorkflowUnknown
from lightflow.runtime.notify import Look
from lightflow_scheduler import arguments, checks, events, messages, paging, values
from lightflow_scheduler.loading import error_of
from lightflow_scheduler.served import dag_run_waits_for, run_waits_for, task_waits_for
from lightflow_scheduler.tasks import named
from lightflow_scheduler.waiting import concerns

START = datetime(2026, 1, 2, 3, 4, 5, 678000, UTC)
END = START + timedelta(seconds=2.5)


def test_pages_follow_each_other_without_gap_or_overlap():
    items = [f"i{number:02}" for number in range(7)]
    seen, token = [], ""
    while True:
        shown, token = paging.page(items, str, 3, token)
        seen.append(shown)
        if not token:
            break
    assert seen == [items[:3], items[3:6], items[6:]]


@pytest.mark.parametrize("token", ["nonsense", "!", paging.token_of([1]), paging.token_of(["a", "b"])])
def test_a_token_from_elsewhere_is_refused(token):
    with pytest.raises(InvalidRequest, match="page_token"):
        paging.place_of(token, str)


def test_a_page_size_has_a_default_and_a_bound():
    assert [paging.size_of(size) for size in (0, 7, 10**6)] == [100, 7, 1000]
    with pytest.raises(InvalidRequest, match="negative"):
        paging.size_of(-1)


def test_times_survive_a_token_to_the_millisecond():
    assert messages.from_millis(messages.millis(START)) == START


@pytest.mark.parametrize("text", ["", "abc", "xyz1", "../abcd", "0" * 25])
def test_what_is_no_run_id_is_refused(text):
    with pytest.raises(InvalidRequest, match="run_id"):
        checks.run_id(text)


@pytest.mark.parametrize("text", ["", ".hidden", "a/b", "a\\b", "a\nb", "x" * 201])
def test_what_is_no_name_is_refused(text):
    with pytest.raises(InvalidRequest, match="name"):
        checks.name("name", text)


def test_arguments_keep_their_types_and_pickles_stay_closed():
    given = arguments.given(
        [
            pb.Argument(name="a", text="1"),
            pb.Argument(name="b", encoded=pb.Value(encoding=pb.Value.ENCODING_JSON, data=b"[1, null]")),
            pb.Argument(name="c", encoded=pb.Value(encoding=pb.Value.ENCODING_PICKLE, data=b"anything")),
        ]
    )
    assert given == {"a": "1", "b": [1, None], "c": Binary(b"anything", 0x80)}
    assert arguments.shown(given) == {"a": "1", "b": [1, None], "c": "<a Python object, 8 bytes>"}


def test_arguments_that_json_cannot_say_are_shown_as_text():
    shown = arguments.shown({"big": 2**60, "nan": float("nan"), "time": START, "bytes": b"abc", "in": {"a": [2**60]}})
    assert shown == {
        "big": str(2**60),
        "nan": "nan",
        "time": START.isoformat(),
        "bytes": "<3 bytes>",
        "in": {"a": [str(2**60)]},
    }


def test_long_arguments_are_shown_cut():
    shown = arguments.shown({"text": "x" * 10_000, "list": [1] * 10_000})
    assert all(len(text) < 2100 and "characters" in text for text in shown.values())


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ([pb.Argument(name="a", text="1"), pb.Argument(name="a", text="2")], "twice"),
        ([pb.Argument(name="a")], "no value"),
        ([pb.Argument(name="a", encoded=pb.Value(data=b"x"))], "encoding"),
    ],
)
def test_malformed_arguments_are_named(given, said):
    with pytest.raises(InvalidRequest, match=said):
        arguments.given(given)


def test_values_travel_in_chunks_and_an_absent_one_in_one_message():
    parts = list(values.found(bytes(1_200_000)))
    assert [len(part.chunk) for part in parts] == [524288, 524288, 151424]
    assert (parts[0].found, parts[0].encoding) == (True, pb.Value.ENCODING_BSON)
    assert [part.found for part in values.found(None)] == [False]


def join(caller, *names):
    return {"request": f"{caller}>{','.join(names)}", "caller": caller, "names": list(names)}


def test_joins_that_end_are_allowed():
    known = [join("a", "b"), join("a", "c"), join("b", "c")]
    for each in known:
        joins.check(known, each["request"])


def test_of_joins_in_a_circle_only_the_newest_is_at_fault():
    known = [join("a", "b"), join("b", "c", "d"), join("c", "a")]
    joins.check(known, known[0]["request"])
    joins.check(known, known[1]["request"])
    with pytest.raises(JoinImpossible, match="c -> a -> b -> c"):
        joins.check(known, known[2]["request"])


def test_joining_oneself_is_at_fault():
    with pytest.raises(JoinImpossible, match="itself"):
        joins.check([join("a", "b", "a")], "a>b,a")


def test_a_queued_task_says_what_it_waits_for():
    task = {"state": "queued", "queue": "gpu", "python": "3.11", "delayed": False}
    assert task_waits_for(task, frozenset({("dag-runner", "gpu", "3.11")})) == "a worker of queue gpu"
    assert task_waits_for(task, frozenset({("task-worker", "gpu", "3.12")})) == "a worker of queue gpu with Python 3.11"
    assert task_waits_for(task, frozenset({("task-worker", "gpu", "3.11")})) == ""
    assert task_waits_for({**task, "delayed": True}, frozenset()) == "its delay"
    assert task_waits_for({**task, "state": "running"}, frozenset()) == ""


def test_runs_and_dag_runs_say_which_queue_nobody_serves():
    served = frozenset({("scheduler", "nightly", "3.11"), ("dag-runner", "slow", "3.11")})
    for waits_for, here, there in (
        (run_waits_for, "nightly", "a scheduler of queue slow"),
        (dag_run_waits_for, "slow", "a dag-runner of queue nightly"),
    ):
        elsewhere = {"slow": "nightly", "nightly": "slow"}[here]
        assert waits_for({"state": "running", "queue": here}, served) == ""
        assert waits_for({"state": "pending", "queue": elsewhere}, served) == there
        assert waits_for({"state": "stopped", "queue": elsewhere}, served) == ""


def test_a_task_may_be_named_with_its_dag():
    assert named("a:1/b") == {"dag": "a:1", "task": "b"}
    assert named("b") == {"task": "b"}
    assert named("no/dag") == {"task": "no/dag"}


def test_a_look_concerns_those_it_names_and_a_missed_one_everybody():
    assert concerns([Look("run", {"run": "a"})], run="a")
    assert not concerns([Look("run", {"run": "b"})], run="a")
    assert concerns([Look("load")], load="x")
    assert concerns([Look("reconnected", missed=True)], run="a")
    assert not concerns([], run="a")


def test_a_loaders_report_becomes_the_error_it_was():
    known = error_of({"type": "WorkflowUnknown", "fields": {"name": "x", "known": ["y"], "message": "no x"}})
    assert (type(known), str(known), known.known) == (WorkflowUnknown, "no x", ("y",))
    foreign = error_of({"type": "SyntaxError", "message": "line 3"})
    assert (type(foreign), str(foreign)) == (WorkflowImportError, "SyntaxError: line 3")


def test_a_run_in_every_condition_becomes_a_message():
    pending = messages.run({"_id": "r", "workflow": "w", "version": "v", "state": "pending"})
    assert not any(pending.HasField(name) for name in ("started_at", "finished_at", "duration", "error"))
    ended = messages.run(
        {
            "_id": "r",
            "workflow": "w",
            "version": "v",
            "state": "failed",
            "arguments": {"n": 1, "deep": {"a": [None]}},
            "error": {"type": "E", "message": "m", "traceback": "t", "task": "a", "dag": "d:1"},
            "started_at": START,
            "finished_at": END,
        }
    )
    assert ended.duration.ToTimedelta() == END - START
    assert (ended.error.type, ended.error.dag) == ("E", "d:1")
    assert ended.arguments["deep"]["a"][0] is None


RUN = {"_id": "r", "workflow": "w", "state": "running", "started_at": START}
DAG_RUN = {"_id": "d", "run": "r", "name": "d:1", "state": "running", "started_at": START}
TASK = {"_id": "t", "task": "a", "dag": "d:1", "run": "r", "dag_run": "d"}
PENDING = {"state": "pending", "started_at": None}


def test_a_task_that_never_started_tells_no_event():
    task = {**TASK, "state": "skipped", "attempts": [], "finished_at": END}
    assert list(events.of_task(task, DAG_RUN, RUN)) == []


def test_a_failed_attempt_that_is_repeated_is_no_end():
    attempts = [{"worker": "w@h", "pid": 1, "started_at": START}, {"worker": "w@h", "pid": 2, "started_at": END}]
    task = {**TASK, "state": "running", "attempts": attempts}
    told = [(event.id, event.pid) for event in events.of_task(task, DAG_RUN, RUN)]
    assert told == [("t#1:started", 1), ("t#2:started", 2)]


def test_nothing_of_a_part_is_told_as_earlier_than_the_start_of_the_whole_though_it_was_claimed_before():
    task = {**TASK, "state": "succeeded", "attempts": [{"started_at": START}], "finished_at": START}
    late = {**DAG_RUN, "started_at": END}
    told = [*events.of_task(task, late, RUN), *events.of_dag_run(late, RUN), *events.of_run(RUN)]
    ordered = sorted(told, key=events.order)
    assert [event.id for event in ordered] == ["r:started", "d:started", "t#1:started", "t#1:succeeded"]
    assert {event.time.ToDatetime(UTC) for event in ordered[1:]} == {END}
    assert ordered[-1].duration.ToTimedelta() == timedelta(0)


CLAIMED = {**TASK, "state": "running", "attempts": [{"started_at": START}], "changed_at": END}


@pytest.mark.parametrize(("run", "dag_run"), [(RUN | PENDING, DAG_RUN), (RUN, DAG_RUN | PENDING)])
def test_a_part_waits_for_the_start_of_the_whole_to_be_on_record(run, dag_run):
    told, again = events.of_reading({"r": run}, {"d": dag_run | {"changed_at": END}}, {}, [CLAIMED])
    assert [event.id for event in told] == ([] if run["state"] == "pending" else ["r:started"])
    assert again == END


def test_what_has_not_begun_is_not_waited_for():
    dag_run = DAG_RUN | PENDING | {"changed_at": END}
    waits = {**TASK, "state": "waiting", "attempts": [], "changed_at": END}
    told, again = events.of_reading({"r": RUN}, {"d": dag_run}, {}, [waits])
    assert ([event.id for event in told], again) == (["r:started"], None)


def test_a_part_of_what_ended_before_it_began_waits_for_nothing():
    stopped = {**RUN, "state": "stopped", "started_at": None, "finished_at": END}
    told, again = events.of_reading({"r": stopped}, {"d": DAG_RUN}, {}, [CLAIMED])
    assert ([event.id for event in told], again) == (["d:started", "t#1:started"], None)


def test_the_end_of_a_dag_run_that_was_read_after_its_tasks_is_left_to_the_next_reading():
    ended = DAG_RUN | {"state": "succeeded", "finished_at": END}
    told, _ = events.of_reading({"r": RUN}, {}, {"d": ended}, [CLAIMED])
    assert [event.id for event in told] == ["r:started", "d:started", "t#1:started"]


def test_of_what_happens_at_one_time_the_whole_begins_before_its_parts_and_ends_after_them():
    over = {"state": "succeeded", "started_at": START, "finished_at": START}
    run, dag_run, task = RUN | over, DAG_RUN | over, TASK | over | {"attempts": [{"started_at": START}]}
    told = [*events.of_task(task, dag_run, run), *events.of_dag_run(dag_run, run), *events.of_run(run)]
    ordered = [event.id for event in sorted(told, key=events.order)]
    assert ordered == ["r:started", "d:started", "t#1:started", "t#1:succeeded", "d:succeeded", "r:succeeded"]


def test_a_failed_run_is_told_as_aborted_and_its_state_tells_the_difference():
    run = {"_id": "r", "workflow": "w", "state": "failed", "started_at": START, "finished_at": END}
    started, ended = events.of_run(run)
    assert (started.event, started.state) == ("task-lightflow-started", "running")
    assert (ended.event, ended.state, ended.duration.ToTimedelta()) == ("task-lightflow-aborted", "failed", END - START)
