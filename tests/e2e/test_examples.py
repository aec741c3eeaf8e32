"""The workflows that ship, run as a newcomer runs them."""

import re
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from tests.e2e.support import Cli, states

import lightflow

SHIPPED = sorted(file.stem for file in (Path(lightflow.__file__).parent / "examples").glob("*.py"))


@dataclass(frozen=True)
class Example:
    """What is to be seen of one; `tasks` that are not in `others` succeed, DAG runs end as the run does."""

    name: str
    tasks: dict[str, str]
    printed: dict[str, list[str]]
    others: dict[str, str] = field(default_factory=dict)
    arguments: tuple[str, ...] = ()
    state: str = "succeeded"

    @property
    def expected(self) -> dict[str, dict[str, str]]:
        return {
            dag: {task: self.others.get(task, "succeeded") for task in tasks.split()}
            for dag, tasks in self.tasks.items()
        }


EXAMPLES = [
    Example(
        "simple",
        {"main:1": "measure report"},
        {"measure": ["measured 21.5 degrees"], "report": ["that is 70.7 degrees Fahrenheit"]},
    ),
    Example(
        "sequence",
        {"main:1": "begin first second finish"},
        {
            "begin": ["beginning with 1"],
            "first": ["first makes it 2"],
            "second": ["second makes it 4"],
            "finish": ["4 came through begin -> first -> second"],
        },
    ),
    Example(
        "parallel",
        {"main:1": "start characters words letters summary"},
        {"summary": ["characters: 43", "words: 9", "letters: 26"]},
    ),
    Example(
        "branching",
        {"main:1": "source even odd square meet"},
        {"meet": ["squares of the even numbers: [4, 16, 36, 64, 100]", "odd numbers: [1, 3, 5, 7, 9]"]},
    ),
    Example(
        "decision",
        {"main:1": "look odd even done"},
        {"look": ["7 goes to the task 'odd'"], "odd": ["this is the task for odd numbers"], "done": ["done"]},
        {"even": "skipped"},
    ),
    Example(
        "decision",
        {"main:1": "look odd even done"},
        {"look": ["4 goes to the task 'even'"], "even": ["this is the task for even numbers"], "done": ["done"]},
        {"odd": "skipped"},
        arguments=("number=4",),
    ),
    Example(
        "data_store",
        {"main:1": "prepare taste_2 taste_3 taste_4 taste_5 taste_6 taste_7 best"},
        {"best": ["tea is best after 4 minutes", "steeped by the book: no book was used"]},
    ),
    Example(
        "multi_data",
        {"main:1": "left both right merged"},
        {
            "both": ["by name: left, by slot: right, by index: left", "default: left", "now default: right"],
            "merged": ["merged: right, 1 and 2"],
        },
    ),
    Example(
        "parameters",
        {"main:1": "greet"},
        {"greet": ["HELLO, ADA!"] * 3},
        arguments=("name=Ada", "times=3", "loud=Yes"),
    ),
    Example(
        "queues",
        {"main:1": "anywhere special"},
        {
            "anywhere": ["any task worker may run this"],
            "special": ["only a worker that serves the queue 'graphics' runs this"],
        },
    ),
    Example(
        "stop",
        {"main:1": "check archive scan clean"},
        {
            "check": ["nothing new today, the archive is left alone"],
            "scan": ["seen enough, the others may go on"],
            "clean": ["clean runs"],
        },
        {"check": "stopped", "archive": "skipped", "scan": "stopped"},
    ),
    Example(
        "abort",
        {"main:1": "check measure"},
        {"check": ["the detector is off; there is no point in going on"]},
        {"check": "aborted", "measure": "stopped"},
        state="aborted",
    ),
    Example(
        "bash",
        {"main:1": "choose shell count"},
        {
            "shell": [*(f"the shell says: line {n}" for n in (1, 2, 3)), "it ended with code 0"],
            "count": ["3 lines, the last one: line 3"],
        },
    ),
    Example(
        "sub_dag",
        {"main:1": "spread collect", "square:1": "square", "square:2": "square", "square:3": "square"},
        {"spread": ["started square:1, square:2, square:3"], "collect": ["the squares: [4, 9, 25]"]},
    ),
]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: "-".join((example.name, *example.arguments)))
def test_an_example_ends_as_it_should_and_prints_what_it_should(cli: Cli, example: Example) -> None:
    ended = cli("run", example.name, *example.arguments, "-o", "json")
    run = ended.json
    assert (ended.code, run["state"]) == (0 if example.state == "succeeded" else 1, example.state)
    assert states(run) == example.expected
    assert {dag["state"] for dag in run["dags"]} == {example.state}
    assert ended.written == example.printed
    assert {task["attempts"] for dag in run["dags"] for task in dag["tasks"]} <= {0, 1}


def test_timing_tells_how_long_the_tasks_took(cli: Cli) -> None:
    ended = cli("run", "timing", "-o", "json")
    assert states(ended.json) == {"main:1": dict.fromkeys(("first", "second", "report"), "succeeded")}
    first, second, between = ended.written["report"]
    assert re.fullmatch(r"first took \d+ ms on \S+", first)
    assert re.fullmatch(r"second took \d+ ms on \S+", second)
    assert re.fullmatch(r"between them \d+ ms went by", between)


def test_every_example_that_ships_is_tried_here() -> None:
    assert sorted({example.name for example in EXAMPLES} | {"timing"}) == SHIPPED
    assert len(SHIPPED) == 14


def test_queues_are_those_that_the_example_names(cli: Cli) -> None:
    run = cli("run", "queues", "-o", "json").json
    assert [task["queue"] for task in run["dags"][0]["tasks"]] == ["task", "graphics"]


def test_an_abort_says_which_task_aborted_and_why(cli: Cli) -> None:
    ended = cli("run", "abort")
    assert ended.code == 1
    assert "Error in task 'check' of main:1: AbortWorkflow: the detector is off" in ended.out
    assert "this is never printed" not in ended.out


def test_parameters_without_the_name_it_needs_is_refused(cli: Cli) -> None:
    refused = cli("run", "parameters")
    assert (refused.code, refused.out) == (2, "")
    assert "'name'" in refused.err or "name" in refused.err.split()


def test_examples_are_listed_with_what_they_show(cli: Cli) -> None:
    listed = {workflow["name"]: workflow for workflow in cli("list", "-o", "json").json}
    assert set(SHIPPED) <= set(listed)
    assert all(listed[name]["description"] and not listed[name]["error"] for name in SHIPPED)
