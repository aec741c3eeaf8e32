from datetime import UTC, datetime, timedelta
from pathlib import Path

import click
import pytest

from lightflow.cli.errors import WrongInput
from lightflow.cli.parsing import parse_arguments, parse_since, parse_value
from lightflow.cli.sources import File, Named, find_source

NOW = datetime(2024, 5, 31, 12, tzinfo=UTC)


def test_a_value_is_everything_after_the_first_equals_sign() -> None:
    assert parse_arguments(["a=1", "b=x=y", "c=", "d=some words"]) == {"a": "1", "b": "x=y", "c": "", "d": "some words"}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["days"], "'days' is not of the form NAME=VALUE"),
        (["title=All", "of"], "quote a value that has spaces"),
        (["=3"], "no name before the '='"),
        (["days", "=", "3"], "'days' is not of the form NAME=VALUE"),
        (["a=1", "a=2"], "'a' is given twice"),
        (["--days"], "is no option here"),
    ],
)
def test_what_is_no_argument_is_refused_with_what_to_type(words: list[str], said: str) -> None:
    with pytest.raises(click.UsageError, match=said):
        parse_arguments(words)


@pytest.mark.parametrize(
    ("text", "ago"), [("10m", timedelta(minutes=10)), ("2h", timedelta(hours=2)), ("1.5d", timedelta(days=1.5))]
)
def test_a_time_may_be_said_as_how_long_ago(text: str, ago: timedelta) -> None:
    assert parse_since(text, NOW) == NOW - ago


def test_a_time_may_be_iso_8601_with_its_zone() -> None:
    assert parse_since("2024-05-31T14:00:00+02:00", NOW) == NOW
    assert parse_since("2024-05-31T12:00:00Z", NOW) == NOW


def test_a_date_without_a_zone_is_local() -> None:
    assert parse_since("2024-05-31", NOW) == datetime(2024, 5, 31).astimezone()


@pytest.mark.parametrize("text", ["yesterday", "10", "9" * 30 + "d", ""])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(click.UsageError):
        parse_since(text, NOW)


def test_a_value_is_json_where_it_is_json_and_else_a_string() -> None:
    assert [parse_value(text) for text in ("3", "[1, 2]", "null", '"x"', "hello", "NaN")] == [
        3,
        [1, 2],
        None,
        "x",
        "hello",
        "NaN",
    ]


def test_a_word_is_the_name_of_a_workflow_and_a_path_is_a_file(folder: Path) -> None:
    (folder / "flow.py").write_text("")
    assert find_source("flow") == Named("flow")
    assert find_source("flow.py") == File(folder / "flow.py")
    assert find_source("./flow.py") == File(folder / "flow.py")
    assert File(folder / "flow.py").name == "flow"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("reprot.py", "did you mean report.py?"),
        ("./reprot.py", "did you mean report.py?"),
        ("flows/a.py", "the folder flows does not exist"),
        ("other/zzzz.py", "no workflow file lies there"),
        ("zzzzzzz.py", "report.py"),
        ("./other", "is a folder"),
        ("./notes.txt", "does not end in .py"),
        (" ", "empty"),
    ],
)
def test_a_file_that_is_not_there_is_refused_with_the_nearest(folder: Path, text: str, said: str) -> None:
    (folder / "report.py").write_text("")
    (folder / "notes.txt").write_text("")
    (folder / "other").mkdir()
    with pytest.raises(WrongInput, match=said.replace("?", r"\?")):
        find_source(text)
