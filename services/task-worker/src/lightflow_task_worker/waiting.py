"""Attempts of this worker that wait in join_dags, and what may be claimed when too many do."""

import asyncio
import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from lightflow.core.errors import JoinImpossible


@dataclass(eq=False, slots=True)
class Wait:
    """One waiting attempt; `dag_runs` is None when it waits for everything of its run."""

    run: str
    dag_runs: Sequence[str] | None
    refused: "asyncio.Future[None]"


class Waiting:
    """Who waits for which DAG runs, oldest first; `cap` is how many may."""

    def __init__(self, cap: int, per_slot: int) -> None:
        self._cap = cap
        self._per_slot = per_slot
        self._waits: list[Wait] = []

    @property
    def is_full(self) -> bool:
        """Whether from now on only what someone waits for may be claimed."""
        return len(self._waits) >= self._cap

    @contextlib.contextmanager
    def for_dag_runs(self, run: str, dag_runs: Sequence[str] | None) -> Iterator["asyncio.Future[None]"]:
        """Be counted as waiting; the future given fails when the wait is refused."""
        wait = Wait(run, dag_runs, asyncio.get_running_loop().create_future())
        self._waits.append(wait)
        try:
            yield wait.refused
        finally:
            self._waits.remove(wait)
            wait.refused.cancel()

    def awaited(self) -> tuple[list[str], list[str]]:
        """The DAG runs that are waited for, and the runs of which everything is."""
        dag_runs = [dag_run for wait in self._waits for dag_run in wait.dag_runs or ()]
        return dag_runs, [wait.run for wait in self._waits if wait.dag_runs is None]

    def refuse_newest(self) -> None:
        """End the newest wait by an error: nothing that is waited for can go on."""
        newest = next((wait for wait in reversed(self._waits) if not wait.refused.done()), None)
        if newest is not None:
            reason = f"{self._cap} tasks of this worker wait already and nothing else may begin; raise engine.join_cap"
            newest.refused.set_exception(JoinImpossible(f"{reason} (now {self._per_slot} for each slot)"))
