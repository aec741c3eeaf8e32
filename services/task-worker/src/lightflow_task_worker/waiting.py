"""Attempts of this worker that wait in join_dags, and what may be claimed when too many do."""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from lightflow.core.errors import JoinImpossible


@dataclass(eq=False, slots=True)
class Wait:
    """One waiting attempt, of the DAG run `caller`; `dag_runs` is None when it waits for everything of its run."""

    run: str
    caller: str
    dag_runs: Sequence[str] | None
    lends: bool


@dataclass(frozen=True, slots=True)
class Awaited:
    """DAG runs that are waited for, and runs of which everything but some DAG runs is."""

    dag_runs: Sequence[str] = ()
    runs: Sequence[str] = ()
    but: Sequence[str] = ()


class Waiting:
    """Who waits for which DAG runs, oldest first. Up to `per_slot` for each slot lend theirs to other attempts.

    The last quarter of these is for what others wait for already, as that may have to wait in turn.
    """

    def __init__(self, slots: int, per_slot: int) -> None:
        self._slots = slots
        self._per_slot = per_slot
        self._waits: list[Wait] = []

    @property
    def is_crowded(self) -> bool:
        """Whether from now on only what someone waits for may be claimed."""
        return 4 * self._lending >= 3 * self._slots * self._per_slot

    @property
    def is_full(self) -> bool:
        """Whether who comes to wait now keeps its slot."""
        return self._lending >= self._slots * self._per_slot

    @property
    def _lending(self) -> int:
        return sum(wait.lends for wait in self._waits)

    @contextlib.contextmanager
    def for_dag_runs(self, run: str, dag_runs: Sequence[str] | None, *, caller: str) -> Iterator[bool]:
        """Be counted as waiting; whether the slot is lent. Raises JoinImpossible where none would be left to anyone."""
        wait = Wait(run, caller, dag_runs, lends=not self.is_full)
        kept = sum(not other.lends for other in self._waits)
        if not wait.lends and kept + 1 >= self._slots:
            reason = f"{len(self._waits)} tasks of this worker wait already, and what they wait for needs a slot"
            raise JoinImpossible(f"{reason}; raise engine.join_cap (now {self._per_slot} for each slot)")
        self._waits.append(wait)
        try:
            yield wait.lends
        finally:
            self._waits.remove(wait)

    def awaited(self) -> Awaited:
        """What is waited for, but for DAG runs of which a task waits in turn.

        More of their tasks might do the same, before those that wait already can go on. As joins make no circle,
        something is left.
        """
        callers = {wait.caller for wait in self._waits}
        dag_runs = [dag_run for wait in self._waits for dag_run in wait.dag_runs or () if dag_run not in callers]
        return Awaited(dag_runs, [wait.run for wait in self._waits if wait.dag_runs is None], sorted(callers))
