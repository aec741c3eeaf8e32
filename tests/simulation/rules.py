"""What must hold at every single change of the record, whoever makes it."""

from collections import defaultdict
from typing import TYPE_CHECKING

from tests.simulation.mongo.values import Document
from tests.simulation.process import CURRENT, Process

from lightflow.core.errors import IllegalMove
from lightflow.core.states import DAG, FINAL, GOING_ON, RUN, TASK, Machine, Service, State

if TYPE_CHECKING:
    from tests.simulation.world import World

MACHINES: dict[str, Machine] = {"runs": RUN, "dag_runs": DAG, "task_runs": TASK}
HANDED_OVER = {(State.WAITING, State.QUEUED), (State.WAITING, State.SKIPPED)}
"""Moves of the dag-runner that a task worker may make: the direct hand-over."""

SETTLED = ("state", "output", "error", "selected", "attempts", "finished_at")
"""What a final task never changes."""


class Rules:
    """Watches the server, and writes down what breaks a rule."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self._incarnations: dict[Process, set[str]] = defaultdict(set)
        world.server.observers.append(self._see)

    def _see(self, collection: str, before: Document | None, after: Document | None) -> None:
        for process, member in self._world.incarnations.items():
            self._incarnations[process].add(member.incarnation)
        if collection == "dag_runs" and after is not None:
            self._is_whole(before or {"state": None}, after)
        if collection not in MACHINES or before is None or after is None:
            return
        source, target = State(before["state"]), State(after["state"])
        if collection == "task_runs" and source in FINAL:
            self._is_settled(before, after)
        if source is target:
            return
        name = f"{collection} {after['_id']}: {source} -> {target}"
        self._world.tell(f"{name} by {self._who()}")
        try:
            MACHINES[collection].check(source, target)
        except IllegalMove as error:
            self._find(str(error))
        self._is_owned(MACHINES[collection], source, target, name)
        if collection == "task_runs":
            self._is_ready(after, source, target, name)
            self._is_fenced(before, target, name)

    def _who(self) -> str:
        process = CURRENT.get()
        return process.name if process else "the server"

    def _find(self, what: str) -> None:
        self._world.findings.append(what)

    def _is_settled(self, before: Document, after: Document) -> None:
        changed = [name for name in SETTLED if before.get(name) != after.get(name)]
        if changed:
            self._find(f"task {after['_id']} was final and changed: {changed}")

    def _is_owned(self, machine: Machine, source: State, target: State, name: str) -> None:
        process = CURRENT.get()
        if process is None:
            return
        owners = {move.owner for move in machine.moves if (move.source, move.target) == (source, target)}
        if machine is TASK and (source, target) in HANDED_OVER:
            owners.add(Service.TASK_WORKER)
        if machine is TASK and source is State.RUNNING and target in (State.QUEUED, State.STOPPED, State.FAILED):
            owners.add(Service.TASK_WORKER)
        if Service(process.kind) not in owners:
            self._find(f"{name} was moved by {process.name}, whose move it is not")

    def _is_whole(self, before: Document, after: Document) -> None:
        """No DAG run goes on before each of its tasks exists."""
        if before["state"] != after["state"] and after["state"] in GOING_ON - {State.PENDING}:
            tasks, count = self._world.server.documents("task_runs"), len(self._world.plan.spec.dag(after["dag"]).tasks)
            if any(f"{after['_id']}/{index}" not in tasks for index in range(count)):
                self._find(f"DAG run {after['_id']} is {after['state']} before all of its tasks exist")

    def _is_ready(self, task: Document, source: State, target: State, name: str) -> None:
        """No task is queued or skipped before its predecessors are through."""
        if source is not State.WAITING or target not in (State.QUEUED, State.SKIPPED):
            return
        dag = self._world.plan.spec.dag(task["dag"].partition(":")[0])
        tasks = self._world.server.documents("task_runs")
        for parent, _ in dag.predecessors[task["index"]]:
            state = tasks[f"{task['dag_run']}/{parent}"]["state"]
            if state not in FINAL:
                self._find(f"{name} although task {parent} before it is {state}")

    def _is_fenced(self, before: Document, target: State, name: str) -> None:
        """Only the worker that holds a task, be it as who it was before its rebirth, may let it succeed or abort."""
        process = CURRENT.get()
        if process is None or before["state"] != State.RUNNING or target not in (State.SUCCEEDED, State.ABORTED):
            return
        if before["holder"] not in self._incarnations[process]:
            self._find(f"{name} by {process.name}, which does not hold it")
