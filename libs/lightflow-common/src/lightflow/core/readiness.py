"""Which tasks follow when others have ended: the rule that lets a task run, and its spread through a graph."""

from collections import deque
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass

from lightflow.core.graph import DagSpec
from lightflow.core.states import State


@dataclass(frozen=True, slots=True)
class Final:
    """The fact that a task ended: its state, and the successors that it selects (None: all)."""

    state: State
    selected: tuple[int, ...] | None = None


Facts = Mapping[int, Final]
"""What is known to have ended, by index. Facts only ever become true."""

SKIPPED = Final(State.SKIPPED)
_ENDS_THE_RUN = frozenset({State.ABORTED, State.FAILED})


@dataclass(frozen=True, slots=True)
class Spread:
    """What follows: tasks that may run, tasks to skip, and tasks whose end must be known to say more."""

    ready: tuple[int, ...] = ()
    skipped: tuple[int, ...] = ()
    unknown: tuple[int, ...] = ()


def runs(dag: DagSpec, index: int, facts: Facts) -> bool:
    """Whether a task whose predecessors are all through runs; it is skipped otherwise."""
    parents = dag.predecessors[index]
    return not parents or dag.tasks[index].force_run or any(_lets_run(dag, p, index, facts[p]) for p, _ in parents)


def _lets_run(dag: DagSpec, parent: int, child: int, end: Final) -> bool:
    if end.state is State.SKIPPED:
        return not dag.tasks[parent].propagate_skip
    return end.selected is None or child in end.selected


def spread(
    dag: DagSpec, facts: Facts, ended: Iterable[int], still_open: Set[int] = frozenset(), breadth: int = 1
) -> Spread:
    """What follows from the tasks in `ended`, which are in `facts`.

    `still_open` are tasks known not to have ended. A skipped task counts as through for its own successors, so
    skipping spreads here as far as it reaches. `unknown` names, for each task that might follow, `breadth` predecessors
    whose end is neither in `facts` nor in `still_open`: one is often enough, because one open predecessor holds a task
    back, and whoever finds it ended asks again more broadly.
    """
    known = dict(facts)
    ready: list[int] = []
    skipped: list[int] = []
    visited: set[int] = set()
    held: dict[
        int, int
    ] = {}  # how many predecessors of a task that waits are known, counted up to the first that is not
    candidates = deque(child for index in ended for child in dag.successors[index])
    while candidates:
        index = candidates.popleft()
        if index in visited:
            continue
        if index in known:
            visited.add(index)
            if known[index].state is State.SKIPPED:  # by a look that may not have come further
                candidates.extend(dag.successors[index])
            continue
        parents = dag.predecessors[index]
        held[index] = _known_from(parents, known, held.get(index, 0))
        if held[index] < len(parents):
            continue
        visited.add(index)
        if any(known[parent].state in _ENDS_THE_RUN for parent, _ in parents):
            continue
        if runs(dag, index, known):
            ready.append(index)
        else:
            skipped.append(index)
            known[index] = SKIPPED
            candidates.extend(dag.successors[index])
    waiting = (index for index in held if index not in visited)
    return Spread(tuple(ready), tuple(skipped), _unknown(dag, waiting, known, still_open, breadth))


def _known_from(parents: tuple[tuple[int, str | None], ...], known: Facts, at: int) -> int:
    """The place of the first of these that is not known, from this place on."""
    while at < len(parents) and parents[at][0] in known:
        at += 1
    return at


def _unknown(dag: DagSpec, waiting: Iterable[int], known: Facts, still_open: Set[int], breadth: int) -> tuple[int, ...]:
    found: dict[int, None] = {}
    for index in waiting:
        missing = [parent for parent, _ in dag.predecessors[index] if parent not in known]
        if still_open.isdisjoint(missing):
            found.update(dict.fromkeys(missing[:breadth]))
    return tuple(found)


def hangs_on(dag: DagSpec, index: int, running: Iterable[int]) -> bool:
    """Whether nothing can follow from the end of a task before one of `running` ends, whose end will be looked at."""
    others = [other for other in running if other != index]
    if not dag.successors[index]:
        return bool(others)
    return set().union(*(dag.successors[other] for other in others)).issuperset(dag.successors[index])
