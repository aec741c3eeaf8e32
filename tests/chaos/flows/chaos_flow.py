"""The workflow that carries out a plan. Its results depend on the plan alone, whatever happens around it.

With a folder, tasks tell the ledger in it what they do and take the orders that lie there; without one nothing but the
plan is carried out, which is how the expected results are made.
"""

import os
import resource
import signal as signals
import time
from hashlib import sha256
from pathlib import Path
from random import Random
from typing import Any

from ledger import Writer
from workload import DagPlan, Plan, TaskPlan, plan_of

from lightflow.models import AbortWorkflow, Action, BaseTask, Dag, StopTask
from lightflow.queue.const import DefaultJobQueueName
from lightflow.tasks import PythonTask

SLICE = 0.1
"""Seconds of a nap between two signs of life."""


def dags_of(seed: int, largest: int, folder: str | None = None) -> dict[str, Dag]:
    """The DAGs of the plan of a seed, by name."""
    plan = plan_of(seed, largest)
    return {dag.name: _dag(plan, dag, folder) for dag in plan.dags}


def _dag(plan: Plan, dag: DagPlan, folder: str | None) -> Dag:
    tasks = {task.name: _task(plan, dag, task, folder) for task in dag.tasks}
    schema: dict[BaseTask, dict[PythonTask, str | None]] = {task: {} for task in tasks.values()}
    for child in dag.tasks:
        for parent, slot in child.parents:
            schema[tasks[parent]][tasks[child.name]] = slot
    return Dag(dag.name, autostart=dag.autostart, queue=plan.queue or DefaultJobQueueName.Dag, schema=schema)


def _task(plan: Plan, dag: DagPlan, task: TaskPlan, folder: str | None) -> PythonTask:
    return PythonTask(
        task.name,
        Work(plan.seed, plan.has_trouble, dag, task, folder),
        force_run=task.force_run,
        propagate_skip=task.propagate_skip,
        retries=task.retries,
        retry_delay=0.05,
    )


class Work:
    """The callback of a task."""

    def __init__(self, seed: int, may_stop: bool, dag: DagPlan, task: TaskPlan, folder: str | None) -> None:
        self.seed, self.may_stop, self.dag, self.task, self.folder = seed, may_stop, dag.name, task, folder

    def __call__(self, data: Any, store: Any, signal: Any, context: Any) -> Action | None:
        if self.folder is None:
            return self._work(data, store, signal, context)
        ledger = Writer(
            f"{self.folder}/ledger", context.workflow_id, context.dag_name, context.task_name, context.attempt
        )
        ledger.note("start")
        if context.attempt == 1 and _taken(Path(self.folder) / "hog"):
            ledger.note("dies")
            _run_out_of_memory()
        self._nap(ledger)
        try:
            return self._work(data, store, signal, context)
        finally:
            ledger.note("end")

    def _nap(self, ledger: Writer) -> None:
        left = self.task.nap
        while left > SLICE:
            time.sleep(SLICE)
            ledger.note("alive")
            left -= SLICE
        time.sleep(left)

    def _work(self, data: Any, store: Any, signal: Any, context: Any) -> Action | None:
        task = self.task
        for number in range(task.pushes):
            store.push("pushed", [context.dag_name, task.name, context.attempt, number])
        given = digest(self.seed, self.dag, task.name, *_inputs(data, task))
        if context.attempt <= task.failures:
            raise ValueError(f"attempt {context.attempt} of {task.name} fails as planned")
        result = digest(given, *self._subs(given, store, signal, context)) if task.starts else given
        if task.name == "last":
            store.set(f"subs.{data['key']}", result)
        data["result"], data["output"] = result, Random(result).randbytes(task.size)
        return self._end(data)

    def _subs(self, given: str, store: Any, signal: Any, context: Any) -> list[str]:
        """What the DAG runs that this attempt starts come to."""
        keys = [f"{context.dag_name}-{self.task.name}-{context.attempt}-{n}" for n in range(len(self.task.starts))]
        names = [
            signal.start_dag(dag, data={"key": key, "origin": digest(given, number)})
            for number, (dag, key) in enumerate(zip(self.task.starts, keys, strict=True))
        ]
        signal.join_dags(names)
        found = [store.get(f"subs.{key}") for key in keys]
        if None in found:
            if self.may_stop:
                raise StopTask("the run is stopping")
            raise RuntimeError(f"{names} were joined, and what they stored is {found}")
        return found

    def _end(self, data: Any) -> Action:
        match self.task.ending:
            case "stops":
                raise StopTask("as planned")
            case "stops alone":
                raise StopTask("as planned", skip_successors=False)
            case "fails":
                raise RuntimeError("as planned")
            case "aborts":
                raise AbortWorkflow("as planned")
        return Action(data, limit=self.task.limit)


def digest(*values: object) -> str:
    """A short digest of values that print the same wherever they are equal."""
    return sha256(repr(values).encode()).hexdigest()[:16]


def _inputs(data: Any, task: TaskPlan) -> list[object]:
    """What a task was given, by position and by alias."""
    datasets = [_seen(dataset) for dataset in data]
    known = [slot for _, slot in task.parents if slot is not None and slot in data._aliases]
    return [*datasets, *((slot, _seen(data(slot))) for slot in sorted(known))]


def _seen(dataset: Any) -> tuple[object, ...]:
    output = dataset.get("output")
    return dataset.get("origin"), dataset.get("result"), None if output is None else sha256(output).hexdigest()


def _taken(order: Path) -> bool:
    """Whether there was such an order; one of those who ask gets it."""
    try:
        order.unlink()
    except FileNotFoundError:
        return False
    return True


def _run_out_of_memory() -> None:
    """Allocate until there is no more, then end as the kernel would have it."""
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + 64 * 1024 * 1024,) * 2)
    hoard = []
    try:
        while True:
            hoard.append(bytearray(8 * 1024 * 1024))
    except MemoryError:
        os.kill(os.getpid(), signals.SIGKILL)
