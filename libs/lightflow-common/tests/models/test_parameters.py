"""Start arguments against options."""

from typing import Any

import pytest

from lightflow.core.arguments import Encoded, convert, split
from lightflow.core.errors import WorkflowArgumentError
from lightflow.core.graph import OptionSpec
from lightflow.models import Option, Parameters, TaskParameters


def only(kind: str, value: object) -> object:
    return convert([OptionSpec("x", kind)], {"x": value})["x"]


@pytest.mark.parametrize("text", ["true", "1", "yes", "y", "TRUE", "Yes", "Y"])
def test_these_texts_are_true(text: str) -> None:
    assert only("bool", text) is True


@pytest.mark.parametrize("text", ["false", "0", "no", "n", "FALSE", "No", "N"])
def test_these_texts_are_false(text: str) -> None:
    assert only("bool", text) is False


@pytest.mark.parametrize(
    ("kind", "given", "value"),
    [
        ("str", "5", "5"),
        ("str", 5, "5"),
        ("int", "5", 5),
        ("int", 5.0, 5),
        ("float", "2.5", 2.5),
        ("float", 3, 3.0),
        ("bool", True, True),
        ("list", "1,2", "1,2"),
    ],
)
def test_values_become_what_their_option_says(kind: str, given: object, value: object) -> None:
    result = only(kind, given)
    assert (result, type(result)) == (value, type(value))


@pytest.mark.parametrize(
    ("kind", "given"),
    [
        ("int", "five"),
        ("int", "2.5"),
        ("int", 2.5),
        ("int", None),
        ("int", float("inf")),
        ("float", "x"),
        ("float", [1]),
        ("bool", "maybe"),
        ("bool", 2),
    ],
)
def test_an_unconvertible_value_names_the_option_the_type_and_the_value(kind: str, given: object) -> None:
    with pytest.raises(WorkflowArgumentError, match=r"option 'x' takes .*, not"):
        only(kind, given)


def test_a_missing_option_is_named_with_its_help() -> None:
    with pytest.raises(WorkflowArgumentError, match=r"option 'path' \(where it lies\) is required and missing"):
        convert([OptionSpec("path", help="where it lies")], {})


def test_a_missing_option_is_told_of_an_argument_that_looks_like_it() -> None:
    with pytest.raises(WorkflowArgumentError, match="was 'filepaht' meant to be it"):
        convert([OptionSpec("filepath")], {"filepaht": "x"})


def test_every_problem_is_told_at_once() -> None:
    with pytest.raises(WorkflowArgumentError, match=r"'a'.*'b'"):
        convert([OptionSpec("a"), OptionSpec("b", "int")], {"b": "x"})


def test_defaults_are_added_as_they_were_stored() -> None:
    assert convert([OptionSpec("x", required=False, default=b"coded")], {}) == {"x": Encoded(b"coded")}


def test_an_argument_that_no_option_names_is_kept_as_given() -> None:
    assert convert([], {"a.b": "5"}) == {"a.b": "5"}


def test_an_argument_is_written_as_key_and_value() -> None:
    assert split("path=a=b") == ("path", "a=b")


@pytest.mark.parametrize("text", ["path", "=x", " =x"])
def test_an_argument_without_key_or_value_is_refused(text: str) -> None:
    with pytest.raises(WorkflowArgumentError, match="key=value"):
        split(text)


def test_an_option_without_a_default_is_required() -> None:
    assert Parameters([Option("a"), Option("b", default=False, type=bool)]).check_missing({}) == ["a"]


def test_parameters_convert_arguments_and_add_defaults() -> None:
    parameters = Parameters([Option("n", type=int), Option("m", default="7", help="more", type=int)])
    assert parameters.consolidate({"n": "5", "other": "x"}) == {"n": 5, "m": 7, "other": "x"}


def test_an_option_as_data_holds_its_converted_default() -> None:
    spec = Option("m", default="7", help="more", type=int).spec(lambda value: repr(value).encode())
    assert spec == OptionSpec("m", "int", required=False, default=b"7", default_text="7", help="more")


def test_task_parameters_replace_callables_by_what_they_return() -> None:
    params = TaskParameters(a=1, b=lambda data, store: data + store, c=None)
    evaluated = params.eval(2, 3)
    assert (evaluated.a, evaluated.b, evaluated.c) == (1, 5, None)
    assert callable(params.b)


def test_task_parameters_leave_the_excluded_out() -> None:
    params = TaskParameters(a=1, b=lambda data, store: 1 / 0)
    assert params.eval(None, None, exclude=["b"]) == {"a": 1}


def test_a_single_task_parameter_can_be_evaluated() -> None:
    params = TaskParameters(a=1, b=lambda data, store: data)
    assert [params.eval_single(key, 5, None) for key in ("a", "b")] == [1, 5]


def test_an_unknown_task_parameter_is_an_attribute_error() -> None:
    params: Any = TaskParameters(a=1)
    params.b = 2
    del params.a
    assert params == {"b": 2}
    for use in (lambda: params.a, lambda: params.eval_single("a", None, None), lambda: delattr(params, "a")):
        with pytest.raises(AttributeError, match="'a'"):
            use()
