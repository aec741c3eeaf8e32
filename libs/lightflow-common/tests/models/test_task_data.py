"""Data between tasks: every sentence of what a `data` object promises."""

import copy
import pickle

import pytest

from lightflow.core.errors import DataInvalidAlias, DataInvalidIndex
from lightflow.models import MultiTaskData, TaskData
from lightflow.models.task_data import as_input, compose_input, compose_output
from lightflow.models.task_history import CHUNK, packed


def travelled(data: TaskData) -> TaskData:
    """The dataset as the next task gets it."""
    arrived: TaskData = pickle.loads(pickle.dumps(data))
    return arrived


def two() -> MultiTaskData:
    return compose_input("t", [("a", ("slot",), TaskData({"x": 1})), ("b", (), TaskData({"x": 2, "y": 3}))])


def test_datasets_come_in_the_order_of_the_predecessors() -> None:
    assert [dataset["x"] for dataset in two()] == [1, 2]


def test_a_dataset_is_reachable_by_index_by_name_and_by_slot() -> None:
    data = two()
    assert data.get_by_index(0) is data.get_by_alias("a") is data("slot")
    assert data("b")["y"] == 3


def test_the_first_dataset_is_the_default() -> None:
    data = two()
    assert (data["x"], data.default_index) == (1, 0)
    assert "x" in data
    assert "y" not in data


def test_item_access_changes_the_default_dataset_only() -> None:
    data = two()
    data["z"] = 5
    del data["x"]
    assert (data("a").data, data("b").data) == ({"z": 5}, {"x": 2, "y": 3})


def test_the_default_can_be_chosen_by_alias() -> None:
    data = two()
    data.set_default_by_alias("b")
    assert data["x"] == 2


def test_the_default_can_be_chosen_by_index() -> None:
    data = two()
    data.set_default_by_index(1)
    assert (data["x"], data.default_dataset) == (2, data.get_by_index(1))


def test_a_negative_index_counts_from_the_end() -> None:
    data = two()
    data.set_default_by_index(-1)
    assert (data.get_by_index(-2)["x"], data["x"], data.default_index) == (1, 2, 1)


@pytest.mark.parametrize("index", [2, 100, -3])
def test_an_unknown_index_is_an_error(index: int) -> None:
    data = two()
    for use in (data.get_by_index, data.set_default_by_index, lambda index: data.add_alias("c", index)):
        with pytest.raises(DataInvalidIndex, match=str(index)):
            use(index)


def test_an_unknown_alias_is_an_error_that_names_the_known_ones() -> None:
    data = two()
    for use in (data, data.get_by_alias, data.set_default_by_alias):
        with pytest.raises(DataInvalidAlias, match=r"'c'.*'slot'"):
            use("c")


def test_datasets_and_aliases_can_be_added() -> None:
    data = two()
    data.add_dataset("c", TaskData({"x": 9}), aliases=["third"])
    data.add_alias("other", 2)
    assert data("c") is data("third") is data("other")


def test_flatten_lets_the_default_win_and_leads_every_alias_to_the_result() -> None:
    data = two()
    data.flatten()
    assert [dataset.data for dataset in data] == [{"x": 1, "y": 3}]
    assert data("a") is data("b") is data("slot")


def test_flatten_may_leave_the_original_alone() -> None:
    data = two()
    flat = data.flatten(in_place=False)
    assert flat is not None
    assert [len(list(data)), len(list(flat))] == [2, 1]


def test_merging_merges_nested_dicts_deeply_and_changes_no_source() -> None:
    low, high = TaskData({"n": {"a": 1, "b": {"c": 1}}}), TaskData({"n": {"b": {"d": 2}, "e": 3}})
    result = TaskData()
    result.merge(low)
    result.merge(high)
    assert result.data == {"n": {"a": 1, "b": {"c": 1, "d": 2}, "e": 3}}
    assert low.data == {"n": {"a": 1, "b": {"c": 1}}}


def test_merging_replaces_a_value_that_is_no_dict() -> None:
    result = TaskData({"x": 1, "y": {"a": 1}})
    result.merge(TaskData({"x": {"a": 1}, "y": 2}))
    assert result.data == {"x": {"a": 1}, "y": 2}


def test_merging_joins_the_histories_without_doubles() -> None:
    result = TaskData(task_history=["a", "b"])
    result.merge(TaskData(task_history=["a", "c"]))
    assert result.task_history == ["a", "b", "c"]


def test_merging_keeps_a_name_that_one_history_has_twice() -> None:
    result = TaskData()
    result.merge(travelled(TaskData(task_history=["a", "b", "a"])))
    assert result.task_history == ["a", "b", "a"]


def test_histories_that_travelled_are_joined_as_those_that_did_not() -> None:
    histories = [["a", "b", "c"], ["a", "b", "d"], ["a", "b", "c"], ["e", "a", "b"], ["a"], [], ["f", "d"]]
    at_home = TaskData()
    for history in histories:
        at_home.merge(TaskData(task_history=list(history)))
    data = compose_input("t", [(str(n), (), travelled(TaskData(task_history=h))) for n, h in enumerate(histories)])
    data.set_default_by_index(len(histories) - 1)
    travelling = compose_output("t", data)
    assert [*at_home.task_history, "t"] == travelling.task_history == ["a", "b", "c", "d", "e", "f", "t"]


def names(count: int, first: int = 0) -> list[str]:
    return [f"task{number}" for number in range(first, first + count)]


HISTORIES = [[], ["a"], ["a", "b"], ["a\nb", "c", "d"], ["", "a"], ["", "", ""], ["a", 1, "b"], ["\ud800", "b"]]
LONG = [names(count) for count in (CHUNK, CHUNK + 1, CHUNK + 2, 5 * CHUNK)]


@pytest.mark.parametrize("history", [*HISTORIES, *LONG, ["\ud800"] * 2 * CHUNK])
def test_a_history_arrives_as_it_left(history: list[str]) -> None:
    there = travelled(TaskData({"x": 1}, task_history=list(history)))
    assert travelled(there).task_history == there.task_history == history
    there.add_task_history("here")
    assert copy.deepcopy(travelled(there)).task_history == [*history, "here"]


class Slotted(TaskData):
    """A dataset as a user may derive one."""

    __slots__ = ("unit",)


def test_a_dataset_of_a_derived_type_arrives_whole() -> None:
    there = Slotted({"x": 1}, task_history=["a", "b", "c"])
    there.unit, there.note = "mm", "measured"  # type: ignore[attr-defined]  # it has slots and a dict
    arrived = travelled(there)
    assert isinstance(arrived, Slotted)
    assert (arrived.unit, arrived.note) == ("mm", "measured")  # type: ignore[attr-defined]
    assert (arrived.data, arrived.task_history) == ({"x": 1}, ["a", "b", "c"])


def test_a_history_may_be_given_as_any_sequence_of_names() -> None:
    for given in (("a",), ("a\nb", "c"), ("a", "b", "c")):
        output = compose_output("t", MultiTaskData(dataset=TaskData(task_history=given)))  # type: ignore[arg-type]
        assert output.task_history == [*given, "t"]


def test_what_came_before_the_tasks_of_a_layer_is_the_same_text_for_all_of_them() -> None:
    outputs = {"start": TaskData(task_history=["start"])}
    for layer in range(3):
        outputs = {
            name: compose_output(name, compose_input(name, [(n, (), travelled(o)) for n, o in outputs.items()]))
            for name in (f"layer{layer}task{number}" for number in range(5))
        }
    assert len({packed(output.task_history).before for output in outputs.values()}) == 1


@pytest.mark.parametrize("count", [2, CHUNK, CHUNK + 1, 3 * CHUNK + 1])
def test_a_history_that_grows_by_a_name_is_packed_as_one_that_was_a_list(count: int) -> None:
    data = travelled(TaskData(task_history=names(2)))
    for name in names(count, first=2):
        data.add_task_history(name)
    assert packed(data._task_history) == packed(names(count + 2))


def test_long_histories_that_travelled_are_joined_without_doubles() -> None:
    trunk = names(3 * CHUNK)
    arms = [travelled(TaskData(task_history=[*trunk, *names(count, first=9000)])) for count in (1, 2, 2 * CHUNK)]
    data = compose_input("t", [(str(number), (), arm) for number, arm in enumerate(arms)])
    assert compose_output("t", data).task_history == [
        *trunk,
        *names(2, first=9000),
        *names(2 * CHUNK, first=9000)[2:],
        "t",
    ]


def test_ten_thousand_names_travel_with_each_task_of_a_row_in_a_fraction_of_their_text() -> None:
    row = names(10_000)
    assert len(pickle.dumps(TaskData(task_history=row))) < len("\n".join(row)) / 3


def test_a_history_that_was_merged_is_independent_of_where_it_came_from() -> None:
    one, other = TaskData(), TaskData(task_history=["a"])
    one.merge(other)
    one.add_task_history("b")
    assert (one.task_history, other.task_history) == (["a", "b"], ["a"])


def test_a_history_that_somebody_holds_is_extended_by_merging() -> None:
    data = TaskData(task_history=["a"])
    held = data.task_history
    data.merge(travelled(TaskData(task_history=["a", "b", "c"])))
    assert held == data.task_history == ["a", "b", "c"]


def test_a_dataset_has_the_operators_of_a_dict() -> None:
    dataset = TaskData({"x": 1})
    dataset.set("y", 2)
    dataset["z"] = 3
    del dataset["x"]
    assert (dataset.get("x", 7), dataset["y"], "z" in dataset, list(dataset)) == (7, 2, True, ["y", "z"])


def test_a_task_without_predecessors_gets_one_empty_dataset_under_its_own_name() -> None:
    data = as_input("t", None)
    assert [dataset.data for dataset in data] == [{}]
    assert data("t") is data.default_dataset


def test_a_start_task_gets_the_data_that_its_dag_was_started_with() -> None:
    given = two()
    assert as_input("t", given) is given
    assert as_input("t", TaskData({"x": 1}))("t")["x"] == 1


def test_when_all_predecessors_were_skipped_there_is_one_empty_dataset() -> None:
    assert [dataset.data for dataset in compose_input("t", [])] == [{}]


def test_the_output_is_all_datasets_merged_with_the_default_last_and_the_name_in_the_history() -> None:
    data = compose_input(
        "t",
        [("a", (), TaskData({"x": 1}, task_history=["a"])), ("b", (), TaskData({"x": 2, "y": 3}, task_history=["b"]))],
    )
    output = compose_output("t", data)
    assert (output.data, output.task_history) == ({"x": 1, "y": 3}, ["b", "a", "t"])


def test_the_output_of_no_dataset_at_all_is_an_empty_one() -> None:
    assert compose_output("t", MultiTaskData()).task_history == ["t"]


def test_a_copy_is_independent() -> None:
    data = TaskData({"x": [1]}, task_history=["a"])
    other = copy.deepcopy(data)
    other["x"].append(2)
    other.add_task_history("b")
    assert (data.data, data.task_history) == ({"x": [1]}, ["a"])


def test_the_constructors_take_what_they_always_took() -> None:
    data = MultiTaskData(dataset=TaskData({"x": 1}), aliases=["first"])
    assert data("first")["x"] == 1
