"""A dag-runner's memory is bounded, and forgetting costs only a read."""

from lightflow.core.readiness import Final
from lightflow.core.states import State
from lightflow_dag_runner.knowledge import Knowledge


def ended(*indexes):
    return dict.fromkeys(indexes, Final(State.SUCCEEDED))


def test_what_was_learned_is_known():
    knowledge = Knowledge()
    knowledge.learn("one", ended(1, 2))
    assert knowledge.of("one") == ended(1, 2)
    assert knowledge.of("two") == {}


def test_what_one_gets_is_a_copy():
    knowledge = Knowledge()
    knowledge.learn("one", ended(1))
    knowledge.of("one")[2] = Final(State.FAILED)
    assert knowledge.of("one") == ended(1)


def test_the_dag_runs_looked_at_longest_ago_are_forgotten_first():
    knowledge = Knowledge(kept=4)
    knowledge.learn("one", ended(1, 2))
    knowledge.learn("two", ended(1, 2))
    knowledge.learn("one", ended(1, 2))
    knowledge.learn("three", ended(1))
    assert (knowledge.of("one"), knowledge.of("two"), knowledge.of("three")) == (ended(1, 2), {}, ended(1))


def test_room_is_counted_by_facts_however_often_a_dag_run_is_learned():
    knowledge = Knowledge(kept=3)
    for count in (1, 2, 3, 2):
        knowledge.learn("one", ended(*range(count)))
    knowledge.learn("two", ended(1))
    assert knowledge.of("one") == ended(0, 1)
    knowledge.forget("one")
    knowledge.learn("three", ended(1, 2))
    assert knowledge.of("two") == ended(1)


def test_forgetting_what_is_unknown_is_nothing():
    Knowledge().forget("one")
