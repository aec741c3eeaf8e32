"""Which outputs a task receives, and under which names."""

from collections.abc import Mapping
from dataclasses import dataclass

from lightflow.core.graph import DagSpec
from lightflow.core.states import State


@dataclass(frozen=True, slots=True)
class Contribution:
    """The output of one predecessor, as its successor sees it."""

    index: int
    name: str
    alias: str | None


def contributions(dag: DagSpec, index: int, states: Mapping[int, State]) -> tuple[Contribution, ...]:
    """The predecessors whose outputs reach a task, in the order of the schema.

    Skipped ones contribute nothing; every other one does, also a stopped one and one whose limit leaves the task out.
    """
    return tuple(
        Contribution(parent, dag.tasks[parent].name, alias or None)
        for parent, alias in dag.predecessors[index]
        if states[parent] is not State.SKIPPED
    )
