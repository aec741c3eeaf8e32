from decimal import Decimal

import pytest

from lightflow.core.states import Service
from lightflow.runtime.consumer import ids_of
from lightflow.runtime.hints import ATTEMPT_MESSAGES, IDS_PER_MESSAGE, messages


def many(count):
    return [f"id{number}" for number in range(count)]


@pytest.mark.parametrize("service", [Service.SCHEDULER, Service.DAG_RUNNER])
def test_one_message_names_many_things_to_look_at(service):
    assert messages(service, many(3)) == [many(3)]


@pytest.mark.parametrize("service", Service)
@pytest.mark.parametrize("count", [1, 63, 64, 65, 499, 500, 501, 5000])
def test_no_message_is_long_or_empty_and_none_names_anything_twice(service, count):
    sent = messages(service, many(count))
    assert all(0 < len(message) <= IDS_PER_MESSAGE for message in sent)
    assert sorted(id_ for message in sent for id_ in message) == sorted(many(count))


def test_attempts_are_spread_over_messages_so_that_each_wakes_a_worker():
    assert messages(Service.TASK_WORKER, many(3)) == [["id0"], ["id1"], ["id2"]]


def test_what_waits_already_wakes_workers_too():
    assert messages(Service.TASK_WORKER, many(5), waiting=3) == [["id0", "id2", "id4"], ["id1", "id3"]]
    assert messages(Service.TASK_WORKER, many(5), waiting=5) == messages(Service.TASK_WORKER, many(5), waiting=99) == []


def test_no_more_workers_are_woken_at_once_than_are_likely_to_exist():
    assert len(messages(Service.TASK_WORKER, many(5000))) == ATTEMPT_MESSAGES


def test_nothing_to_hint_at_is_no_message():
    assert messages(Service.TASK_WORKER, []) == messages(Service.DAG_RUNNER, []) == []


def test_the_ids_of_a_hint_are_taken_as_they_are():
    assert ids_of({"v": 1, "ids": ["a", "b"]}) == ["a", "b"]


@pytest.mark.parametrize(
    "forged",
    [
        None,
        7,
        "text",
        [],
        ["a"],
        {},
        {"v": 1},
        {"ids": ["a"]},
        {"v": 2, "ids": ["a"]},
        {"v": Decimal("sNaN"), "ids": ["a"]},
        {"v": "1", "ids": ["a"]},
        {"v": 1, "ids": "abc"},
        {"v": 1, "ids": {"a": 1}},
    ],
    ids=repr,
)
def test_a_hint_that_is_none_or_of_a_newer_release_names_nothing(forged):
    assert ids_of(forged) == []


def test_what_is_no_id_in_a_hint_is_passed_over():
    assert ids_of({"v": 1, "ids": ["a", 1, None, {"$ne": None}, "b"]}) == ["a", "b"]
