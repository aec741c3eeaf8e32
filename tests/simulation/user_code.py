"""Slots whose children do what the plan says: the user code of the simulation, and its ledger."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Any

from tests.simulation.plan import SUB, TaskPlan
from tests.simulation.process import Process

from lightflow.core.outcomes import Ending, ErrorInfo, Outcome
from lightflow.core.states import State
from lightflow.runtime.datastore.encoding import encode
from lightflow_task_worker.job import Calls, Job, Result

if TYPE_CHECKING:
    from tests.simulation.world import World

_NUMBERS = count(1)


@dataclass
class Execution:
    """One time that user code ran, as an outside witness saw it; `end` is None while it runs."""

    task_run: str
    attempt: int
    process: Process
    start: float
    run_state: str
    end: float | None = None
    pushed: list[str] = field(default_factory=list)
    dags_asked_for: int = 0
    number: int = field(default_factory=lambda: next(_NUMBERS))


class Slots:
    """Makes slots for one worker process."""

    def __init__(self, world: "World", process: Process) -> None:
        self._world = world
        self._process = process

    async def start(self) -> "Slot":
        return Slot(self._world, self._process)

    async def close(self) -> None:
        """Nothing to close."""


class Slot:
    """Runs one attempt at a time."""

    process_pids = ()

    def __init__(self, world: "World", process: Process) -> None:
        self._world = world
        self._process = process
        self._child: asyncio.Task[Result] | None = None
        self._killed = False
        self.version: str | None = None

    async def run(self, job: Job, calls: Calls, output: Callable[[bytes], None]) -> Result:
        self.version, self._killed = job.version, False
        output(b"begun\n")
        execution = self._world.witness(job, self._process)
        plan = self._world.plan.tasks[job.dag.partition(":")[0], job.task]
        self._child = asyncio.create_task(_work(plan, job, calls, execution))
        try:
            await asyncio.wait([self._child])
            if self._killed:
                return Result(Outcome(Ending.KILLED, ErrorInfo("Killed", "killed")))
            return self._child.result()
        finally:
            self._child.cancel()
            execution.end = asyncio.get_running_loop().time()

    def tell_stopped(self) -> None:
        """The user code of the simulation never asks."""

    async def kill(self) -> None:
        self._killed = True
        if self._child is not None:
            self._child.cancel()

    async def close(self) -> None:
        await self.kill()


async def _work(plan: TaskPlan, job: Job, calls: Calls, execution: Execution) -> Result:
    """What a child does. Attempts count deaths and errors alike: the first ones die, the next ones fail."""
    numbers = count(1)

    async def call(method: str, payload: bytes = b"", **header: Any) -> dict[str, Any]:
        return (await calls.call(method, {**header, "call": next(numbers)}, payload))[0]

    await asyncio.sleep(plan.seconds / 2)
    if job.attempt <= plan.deaths:
        return Result(Outcome(Ending.DIED, ErrorInfo("Died", "killed by SIGKILL")))
    for index in range(plan.pushes):
        item = f"{job.task_run} {job.attempt} {execution.number} {index}"
        execution.pushed.append(item)
        await call("push", encode(item), key="pushed", section="data")
    started = []
    for _ in range(plan.starts):
        execution.dags_asked_for += 1
        started.append((await call("start_dag", name=SUB, data=False))["name"])
    if plan.stops_sub and started[0]:
        await call("stop_dag", name=started[0])
    if plan.joins:
        await call("join_dags", names=[name for name in started if name])
    await asyncio.sleep(plan.seconds / 2)
    if job.attempt <= plan.deaths + plan.errors:
        return Result(Outcome(Ending.ERROR, ErrorInfo("ValueError", "planned")))
    return _ended(plan, job)


def _ended(plan: TaskPlan, job: Job) -> Result:
    data = plan.result([(each.name, each.payload or b"") for each in job.inputs])
    if plan.ending is State.FAILED:
        return Result(Outcome(Ending.ERROR, ErrorInfo("ValueError", "planned"), retryable=False))
    if plan.ending is State.ABORTED:
        return Result(Outcome(Ending.ABORTED, ErrorInfo("AbortWorkflow", "planned")))
    ending = Ending.STOPPED if plan.ending is State.STOPPED else Ending.SUCCEEDED
    return Result(Outcome(ending, limit=plan.limit), data)
