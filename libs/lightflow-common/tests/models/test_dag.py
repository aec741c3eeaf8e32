"""Schemas: how a graph is written, and what is refused."""

from itertools import pairwise
from typing import Any

import cloudpickle
import pytest

from lightflow.core.cycles import find_cycle
from lightflow.core.errors import DirectedAcyclicGraphInvalid, DirectedAcyclicGraphUndefined, TaskNameTaken
from lightflow.models import Dag
from lightflow.models.spec import dag_spec_of
from lightflow.tasks import PythonTask

A, B, C = PythonTask("a"), PythonTask("b"), PythonTask("c")


@pytest.mark.parametrize(
    ("schema", "edges"),
    [
        ({A: B}, ((0, 1, None),)),
        ({A: [B, C]}, ((0, 1, None), (0, 2, None))),
        ({A: (B, C)}, ((0, 1, None), (0, 2, None))),
        ({A: None}, ()),
        ({A: []}, ()),
        ({A: {B: "slot", C: None}}, ((0, 1, "slot"), (0, 2, None))),
        ({A: {B: ""}}, ((0, 1, None),)),
        ({A: [B, B]}, ((0, 1, None),)),
        ({A: C, B: C}, ((0, 1, None), (2, 1, None))),
    ],
)
def test_a_schema_says_the_edges_in_its_order(schema: Any, edges: tuple[Any, ...]) -> None:
    assert dag_spec_of(Dag("d", schema=schema)).edges == edges


def test_a_cycle_is_an_error_that_names_its_tasks() -> None:
    with pytest.raises(DirectedAcyclicGraphInvalid, match=r"'d' has a cycle: (a -> b|b -> a)") as caught:
        Dag("d").define({C: A, A: B, B: A})
    assert caught.value.graph_name == "d"
    assert set(caught.value.cycle) == {"a", "b"}


def test_a_task_that_follows_itself_is_a_cycle() -> None:
    with pytest.raises(DirectedAcyclicGraphInvalid, match="a -> a"):
        Dag("d").define({A: A})


def test_a_cycle_that_was_not_looked_for_is_found_before_anything_runs() -> None:
    dag = Dag("d")
    dag.define({A: B, B: A}, validate=False)
    with pytest.raises(DirectedAcyclicGraphInvalid):
        dag_spec_of(dag)


def test_two_tasks_of_one_name_are_an_error() -> None:
    with pytest.raises(TaskNameTaken, match="two tasks named 'a'"):
        Dag("d").define({A: PythonTask("a")})


@pytest.mark.parametrize("name", ["", None, 5])
def test_a_task_without_a_name_is_an_error(name: Any) -> None:
    with pytest.raises(DirectedAcyclicGraphUndefined, match="a name is a text"):
        Dag("d").define({PythonTask(name): None})


def test_no_schema_is_an_error() -> None:
    with pytest.raises(DirectedAcyclicGraphUndefined, match="'d' has no schema"):
        Dag("d").define(None)
    with pytest.raises(DirectedAcyclicGraphUndefined, match="'d' has no schema"):
        dag_spec_of(Dag("d"))


@pytest.mark.parametrize("schema", [[A], {"a": B}, {A: "b"}, {A: [5]}])
def test_what_is_no_schema_of_tasks_is_an_error_that_shows_it(schema: Any) -> None:
    with pytest.raises(DirectedAcyclicGraphUndefined, match=r"dict of tasks|which is no task"):
        Dag("d").define(schema)


def test_the_graph_is_also_there_for_networkx() -> None:
    graph = Dag.make_graph({A: {B: "slot"}, C: None})
    assert set(graph) == {A, B, C}
    assert graph.edges[A, B]["slot"] == "slot"
    Dag("d").validate(graph)


def test_a_chain_of_ten_thousand_tasks_is_no_problem() -> None:
    tasks = [PythonTask(str(number)) for number in range(10_000)]
    chain: dict[Any, Any] = dict(pairwise(tasks))
    assert len(dag_spec_of(Dag("d", schema=chain)).edges) == 9_999
    with pytest.raises(DirectedAcyclicGraphInvalid):
        Dag("d", schema={**chain, tasks[-1]: tasks[0]})


def test_a_fan_of_a_hundred_thousand_tasks_is_no_problem() -> None:
    edges = [(0, child) for child in range(1, 100_000)]
    assert find_cycle(100_000, edges) is None


def test_the_options_of_a_task_are_in_its_data() -> None:
    task = PythonTask("t", queue="fast", force_run=True, propagate_skip=False, retries=2, retry_delay=1.5, timeout=9)
    spec = dag_spec_of(Dag("d", schema={task: None})).tasks[0]
    assert (spec.type, spec.queue, spec.force_run, spec.propagate_skip) == ("PythonTask", "fast", True, False)
    assert (spec.retries, spec.retry_delay, spec.timeout) == (2, 1.5, 9)


def test_a_task_whose_function_knows_another_task_pickles() -> None:
    other = PythonTask("other", lambda *_: None)
    task = PythonTask("t", lambda *_: other.name)
    assert cloudpickle.loads(cloudpickle.dumps(task))._callback() == "other"
