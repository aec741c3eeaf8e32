"""Taking back the attempts of a worker whose lease is lost, or of an earlier incarnation on the same host."""

import logging
from dataclasses import dataclass

from lightflow.core.errors import PayloadForged, WorkflowUnknown
from lightflow.core.graph import DagSpec
from lightflow.core.outcomes import Bounds, Ending, ErrorInfo, Outcome
from lightflow.core.states import GOING_ON, Service, State
from lightflow.runtime import attempts
from lightflow.runtime.hints import Hints
from lightflow.runtime.mongo import Database, Document
from lightflow.runtime.specs import Specs

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class TakeBack:
    """Ends attempts in the name of workers that can no longer do it."""

    db: Database
    specs: Specs
    hints: Hints
    bounds: Bounds

    async def from_dead(self, incarnation: str) -> None:
        """Declare a worker dead, which it will notice, end what it holds, and remove it from the list."""
        await self.db["workers"].update_one({"_id": incarnation}, {"$set": {"dead": True}})
        lost = Outcome(Ending.LOST, ErrorInfo("WorkerLost", "the worker that ran this attempt was lost"))
        await self.attempts_of(incarnation, lost)
        await self.db["workers"].delete_one({"_id": incarnation})

    async def attempts_of(self, incarnation: str, outcome: Outcome) -> int:
        """End every attempt that this incarnation holds with this outcome; how many there were."""
        held = {"holder": incarnation, "state": State.RUNNING.value}
        tasks = [task async for task in self.db["task_runs"].find(held, {"output": 0})]
        for task in tasks:
            await self.end(task, outcome)
        if tasks:
            logger.warning("attempts taken back from worker %s: %d", incarnation, len(tasks))
        return len(tasks)

    async def end(self, task: Document, outcome: Outcome) -> None:
        """End the attempt that holds a task, unless it does not any more."""
        name = task["dag"].rpartition(":")[0]
        stopping = await self._is_stopping(task)
        try:
            dag = (await self.specs.get(task["version"])).dag(name)
            settlement = attempts.settlement_of(task, dag.tasks[task["index"]], outcome, self.bounds, stopping)
        except (WorkflowUnknown, PayloadForged) as error:
            logger.error("the version of %s cannot be read; the next attempt will say so: %s", task["_id"], error)
            dag, settlement = DagSpec(name), attempts.settle_without_spec(task, outcome, self.bounds, stopping)
        change = attempts.commit(task, dag, outcome, settlement, None)
        await self.db["task_runs"].update_one(attempts.fence(task), change)
        if settlement.state is State.QUEUED:
            self.hints.send(Service.TASK_WORKER, task["queue"], [task["_id"]])
        self.hints.send(Service.DAG_RUNNER, task["dag_queue"], [task["dag_run"]])

    async def _is_stopping(self, task: Document) -> bool:
        """Whether its DAG run is; or its run, where tasks were created and their DAG run is yet to be."""
        dag_run = await self.db["dag_runs"].find_one({"_id": task["dag_run"]}, {"stop": 1, "state": 1})
        whole = dag_run or await self.db["runs"].find_one({"_id": task["run"]}, {"state": 1})
        return whole is None or bool(whole.get("stop")) or State(whole["state"]) not in GOING_ON
