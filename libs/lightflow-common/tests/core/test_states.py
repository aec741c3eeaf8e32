"""States, reasons, and the table of legal moves."""

import pytest

from lightflow.core.errors import IllegalMove
from lightflow.core.states import DAG, FINAL, RUN, TASK, Machine, Reason, State, strongest


@pytest.mark.parametrize(
    ("given", "winner"),
    [
        ([], None),
        ([None], None),
        ([Reason.STOPPED, None], Reason.STOPPED),
        ([Reason.STOPPED, Reason.ABORTED], Reason.ABORTED),
        ([Reason.FAILED, Reason.ABORTED, Reason.STOPPED], Reason.FAILED),
    ],
)
def test_of_several_reasons_the_strongest_wins(given: list[Reason | None], winner: Reason | None) -> None:
    assert strongest(given) is winner


@pytest.mark.parametrize("machine", [RUN, DAG, TASK], ids=lambda machine: machine.name)
def test_every_pair_of_states_is_legal_exactly_when_the_table_has_it(machine: Machine) -> None:
    table = {(move.source, move.target) for move in machine.moves}
    for source in State:
        for target in State:
            if (source, target) in table:
                assert machine.check(source, target) is target
            else:
                with pytest.raises(IllegalMove):
                    machine.check(source, target)


@pytest.mark.parametrize("machine", [RUN, DAG, TASK], ids=lambda machine: machine.name)
def test_final_states_never_change(machine: Machine) -> None:
    assert not {move.source for move in machine.moves} & FINAL


@pytest.mark.parametrize("machine", [RUN, DAG, TASK], ids=lambda machine: machine.name)
def test_every_state_that_is_not_final_leads_to_a_final_one(machine: Machine) -> None:
    following: dict[State, set[State]] = {}
    for move in machine.moves:
        following.setdefault(move.source, set()).add(move.target)
    for start in following:
        reached, new = set(), {start}
        while new:
            reached |= new
            new = {target for state in new for target in following.get(state, ())} - reached
        assert reached & FINAL


def test_an_illegal_move_names_the_machine_and_both_states() -> None:
    with pytest.raises(IllegalMove) as caught:
        TASK.check(State.SUCCEEDED, State.QUEUED)
    assert (caught.value.machine, caught.value.source, caught.value.target) == ("task", "succeeded", "queued")
    for word in ("task", "succeeded", "queued"):
        assert word in str(caught.value)


def test_the_states_that_a_filtered_update_expects_are_those_the_table_leads_from() -> None:
    assert set(TASK.sources(State.STOPPED)) == {State.WAITING, State.QUEUED, State.RUNNING}
    assert set(DAG.sources(State.STOPPED)) == {State.PENDING, State.STOPPING}
    assert RUN.sources(State.SUCCEEDED) == (State.RUNNING,)
    assert RUN.sources(State.QUEUED) == ()


def test_each_reason_is_also_the_state_in_which_it_ends() -> None:
    assert all(State(reason) in FINAL for reason in Reason)
