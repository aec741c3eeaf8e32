"""What ended attempts leave to be hinted at, once it is known what this worker takes on next."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from lightflow.core.graph import DagSpec
from lightflow.core.readiness import hangs_on
from lightflow.core.states import Service
from lightflow.runtime.hints import Hints
from lightflow.runtime.mongo import Document


@dataclass(frozen=True, slots=True)
class Ended:
    """A task that ended here, and whose successors a dag-runner must look at."""

    task: Document
    dag: DagSpec


@dataclass
class Aftermath:
    """`queued` are attempts that this worker queued itself, with their queues; `ended` tasks that want a look.

    Both wait until this worker has filled its slots: what it took itself needs no hint, and a look is of no use while
    everything that may follow hangs on a task that this worker runs now.
    """

    queued: dict[str, str] = field(default_factory=dict)
    ended: dict[str, Ended] = field(default_factory=dict)

    def nothing_claimable(self, served: Collection[str]) -> None:
        """Of the queues that this worker serves all is taken: no hint is needed for them."""
        self.queued = {task: queue for task, queue in self.queued.items() if queue not in served}

    def hint(self, hints: Hints, running: Iterable[Document]) -> None:
        """Hint at what is left, given the tasks that this worker runs."""
        for task, queue in self.queued.items():
            hints.send(Service.TASK_WORKER, queue, [task])
        held = [task for task in running if task["_id"] not in self.ended]
        for end in self.ended.values():
            beside = [other["index"] for other in held if other["dag_run"] == end.task["dag_run"]]
            if not hangs_on(end.dag, end.task["index"], beside):
                hints.send(Service.DAG_RUNNER, end.task["dag_queue"], [end.task["dag_run"]])
        self.queued.clear()
        self.ended.clear()
