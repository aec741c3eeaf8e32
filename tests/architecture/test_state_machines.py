"""docs/state-machines.md and the table of legal moves hold together."""

import re
from pathlib import Path

import pytest

from lightflow.core.states import DAG, FINAL, RUN, TASK, Machine

PAGE = Path(__file__).parents[2] / "docs" / "state-machines.md"
MACHINES = [
    pytest.param(RUN, "Run", id="run"),
    pytest.param(DAG, "DAG run", id="dag-run"),
    pytest.param(TASK, "Task", id="task"),
]


def section(title: str) -> str:
    found = re.search(rf"^## {title}$(.*?)(?=^## |\Z)", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    assert found, f"{PAGE.name} has no section {title!r}"
    return found[1]


def arrows(title: str) -> list[tuple[str, str]]:
    return re.findall(r"^    (\S+) --> (\S+)$", section(title), re.MULTILINE)


def rows(title: str) -> list[tuple[str, ...]]:
    lines = [line for line in section(title).splitlines() if line.startswith("|")]
    assert [cell.strip() for cell in lines[0].strip("|").split("|")] == ["from", "to", "made by", "when"]
    return [tuple(cell.strip() for cell in line.strip("|").split("|")) for line in lines[2:]]


@pytest.mark.parametrize(("machine", "title"), MACHINES)
def test_the_table_has_a_sentence_and_an_owner_for_each_move(machine: Machine, title: str) -> None:
    expected = [(move.source.name, move.target.name, move.owner.value, move.when) for move in machine.moves]
    assert rows(title) == expected


@pytest.mark.parametrize(("machine", "title"), MACHINES)
def test_the_diagram_has_exactly_the_arrows_of_the_table(machine: Machine, title: str) -> None:
    drawn = [arrow for arrow in arrows(title) if "[*]" not in arrow]
    assert len(drawn) == len(set(drawn))
    assert set(drawn) == {(move.source.name, move.target.name) for move in machine.moves}


@pytest.mark.parametrize(("machine", "title"), MACHINES)
def test_the_diagram_begins_where_nothing_leads_and_ends_in_every_final_state(machine: Machine, title: str) -> None:
    targets = {move.target for move in machine.moves}
    begin = {move.source.name for move in machine.moves} - {state.name for state in targets}
    assert {target for source, target in arrows(title) if source == "[*]"} == begin
    assert {source for source, target in arrows(title) if target == "[*]"} == {s.name for s in targets & FINAL}
