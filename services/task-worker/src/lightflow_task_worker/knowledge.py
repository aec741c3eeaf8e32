"""What this worker knows of DAG runs and of tasks that ended, so that it need not ask before each attempt.

Ends never change. That a DAG run goes on is taken for true for a moment after it was read, and not at all once somebody
said that something is to stop, or while nobody could be heard saying so.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from lightflow.core import ids
from lightflow.core.graph import DagSpec
from lightflow.core.states import FINAL, State
from lightflow.runtime.mongo import Document
from lightflow_task_worker.facts import Circumstances, Facts, StopFacts

FRESH = 0.5
"""Seconds; a notification that was lost costs as much."""

KEPT_DAG_RUNS = 1_000
KEPT_BYTES = 16 * 1024 * 1024
OVERHEAD = 500
"""Bytes that an end takes besides its output."""


@dataclass(frozen=True, slots=True)
class End:
    """How a task ended; `output` as its document has it."""

    state: State
    output: Document | None

    @property
    def size(self) -> int:
        return OVERHEAD + len((self.output or {}).get("data", b""))


@dataclass
class Knowledge:
    """Circumstances of attempts, remembered or asked for; `hears` tells whether notifications would come."""

    facts: Facts
    hears: Callable[[], bool]
    _dag_runs: OrderedDict[str, tuple[float, Circumstances]] = field(default_factory=OrderedDict)
    _ends: OrderedDict[str, End] = field(default_factory=OrderedDict)
    _asking: dict[str, asyncio.Event] = field(default_factory=dict)
    _size: int = 0
    _forgotten: int = 0

    async def circumstances(self, task: Document, dag: DagSpec) -> Circumstances:
        """What the attempt must know; only what is not known is asked, in one command, or none."""
        parents = {index: ids.task_run_id(task["dag_run"], index) for index, _ in dag.predecessors[task["index"]]}
        ends = {index: end for index, parent in parents.items() if (end := self._end(parent)) is not None}
        if len(ends) == len(parents) and (asking := self._asking.get(task["dag_run"])) is not None:
            await asking.wait()
        found = self._fresh(task["dag_run"])
        if found is None or len(ends) < len(parents):
            found = await self._ask(task, [parent for index, parent in parents.items() if index not in ends])
        states = found.states | {index: end.state for index, end in ends.items()}
        outputs = found.outputs | {index: end.output for index, end in ends.items() if end.output}
        return Circumstances(found.stop, found.workflow, found.start_data, states, outputs)

    async def ask_ahead(self, dag_runs: Iterable[str]) -> None:
        """Ask about the DAG runs of attempts that will soon begin, in one command, where it is not known."""
        unknown = [each for each in set(dag_runs) - self._asking.keys() if not self.goes_on(each)]
        if not unknown:
            return
        answered = asyncio.Event()
        self._asking |= dict.fromkeys(unknown, answered)
        asked, forgotten = asyncio.get_running_loop().time(), self._forgotten
        try:
            for dag_run, found in zip(unknown, await self.facts.of_dag_runs(unknown), strict=True):
                self._remember(dag_run, found, asked, forgotten)
        finally:
            for dag_run in unknown:
                del self._asking[dag_run]
            answered.set()

    def goes_on(self, dag_run: str) -> bool:
        """Whether a DAG run was going on a moment ago and nobody said since that something is to stop."""
        return self._fresh(dag_run) is not None

    def ended(self, task_run: str, state: State, output: Document | None) -> None:
        """Remember how a task ended."""
        known = self._ends.pop(task_run, None)
        end = self._ends[task_run] = End(state, output)
        self._size += end.size - (known.size if known is not None else 0)
        while self._size > KEPT_BYTES:
            self._size -= self._ends.popitem(last=False)[1].size

    def forget(self) -> None:
        """Something is to stop: what goes on must be asked anew."""
        self._dag_runs.clear()
        self._forgotten += 1

    def _fresh(self, dag_run: str) -> Circumstances | None:
        until, known = self._dag_runs.get(dag_run, (0.0, None))
        return known if asyncio.get_running_loop().time() < until and self.hears() else None

    def _end(self, task_run: str) -> End | None:
        if (end := self._ends.get(task_run)) is not None:
            self._ends.move_to_end(task_run)
        return end

    async def _ask(self, task: Document, parents: list[str]) -> Circumstances:
        asked, forgotten = asyncio.get_running_loop().time(), self._forgotten
        found = await self.facts.circumstances(task, parents)
        for index, state in found.states.items():
            if state in FINAL:
                self.ended(ids.task_run_id(task["dag_run"], index), state, found.outputs.get(index))
        self._remember(task["dag_run"], found, asked, forgotten)
        return found

    def _remember(self, dag_run: str, found: Circumstances, asked: float, forgotten: int) -> None:
        """Take a DAG run for one that goes on, if nothing was to stop since it was asked about."""
        if found.stop == StopFacts() and self._forgotten == forgotten:
            known = Circumstances(found.stop, found.workflow, found.start_data)
            self._dag_runs[dag_run] = (asked + FRESH, known)
            while len(self._dag_runs) > KEPT_DAG_RUNS:
                self._dag_runs.popitem(last=False)
