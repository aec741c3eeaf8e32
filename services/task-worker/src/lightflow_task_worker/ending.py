"""What follows from an attempt's outcome, decided before any of it is written."""

from dataclasses import dataclass

from lightflow.core import ids
from lightflow.core.graph import DagSpec
from lightflow.core.outcomes import Bounds, Outcome, Settlement
from lightflow.core.readiness import Final, Spread, spread
from lightflow.core.states import State
from lightflow.runtime import attempts
from lightflow.runtime.mongo import Document


@dataclass(frozen=True, slots=True)
class End:
    """The end of an attempt. `follows` is what this worker may hand over itself: None where a dag-runner must look."""

    outcome: Outcome
    settlement: Settlement
    follows: Spread | None = None
    goes_on: bool = False

    def queued(self, task: Document, dag: DagSpec) -> dict[str, str]:
        """The attempts that are handed over, with their queues."""
        ready = self.follows.ready if self.follows is not None else ()
        return {ids.task_run_id(task["dag_run"], child): dag.tasks[child].queue for child in ready}


def successor_of(task: Document, dag: DagSpec, index: int) -> Document:
    """The document of a task of the same DAG run when it is queued for the first time."""
    shared = {name: task[name] for name in ("schema", "run", "dag_run", "dag", "dag_queue", "version", "python")}
    spec = dag.tasks[index]
    own = {"_id": ids.task_run_id(task["dag_run"], index), "index": index, "task": spec.name, "queue": spec.queue}
    return {**shared, **own, "state": State.QUEUED.value, "attempts": [], "errors": 0, "deaths": 0, "losses": 0}


def end_of(task: Document, dag: DagSpec, outcome: Outcome, bounds: Bounds, stopping: bool) -> End:
    """How an attempt's outcome settles its task, and what follows where that is certain from this task alone."""
    settlement = attempts.settlement_of(task, dag.tasks[task["index"]], outcome, bounds, stopping)
    if stopping or settlement.state not in (State.SUCCEEDED, State.STOPPED):
        return End(outcome, settlement)
    index = task["index"]
    follows = spread(dag, {index: Final(settlement.state, dag.select(index, outcome.limit))}, [index])
    certain = bool(follows.ready) and not follows.unknown
    return End(outcome, settlement, follows if certain else None, goes_on=True)
