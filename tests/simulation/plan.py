"""Random workflows, and what must become of them: by the words of the semantics, knowing nothing of the engine."""

import hashlib
import json
from dataclasses import dataclass, field, replace
from random import Random

from lightflow.core.graph import DagSpec, TaskSpec, WorkflowSpec
from lightflow.core.run_machine import TASKS_AT_ONCE
from lightflow.core.states import State

MAIN, SIDE, SUB = "main", "side", "sub"


@dataclass(frozen=True)
class TaskPlan:
    """What the user code of a task does: its first attempts fail or die, the next one does its work and ends."""

    name: str
    errors: int = 0
    deaths: int = 0
    seconds: float = 0.0
    pushes: int = 0
    starts: int = 0
    stops_sub: bool = False
    joins: bool = False
    size: int = 1
    ending: State = State.SUCCEEDED
    limit: tuple[str, ...] | None = None

    def result(self, inputs: list[tuple[str, bytes]]) -> bytes:
        """The output: a digest of all that came in, so that a wrong or missing input shows at the end."""
        text = json.dumps([self.name, [(name, data.hex()) for name, data in inputs]])
        return hashlib.sha256(text.encode()).digest()[:8] * self.size


@dataclass(frozen=True)
class Plan:
    """A workflow: its graph, and what its tasks do, by (dag, task); how many of them a look at its run may create."""

    spec: WorkflowSpec
    tasks: dict[tuple[str, str], TaskPlan]
    stop_after: float | None = None
    tasks_at_once: int = TASKS_AT_ONCE
    troubled: bool = field(default=False)

    @property
    def is_certain(self) -> bool:
        """Whether the end of every task is certain: nothing stops, aborts or fails."""
        return self.stop_after is None and not self.troubled


def random_plan(random: Random) -> Plan:
    """A workflow of up to three DAGs."""
    tasks: dict[tuple[str, str], TaskPlan] = {}
    trouble = random.random() < 0.15
    has_sub = random.random() < 0.4
    dags = [_dag(random, MAIN, tasks, starts=has_sub, trouble=trouble)]
    if random.random() < 0.3:
        dags.append(_dag(random, SIDE, tasks, starts=False, trouble=False))
    if has_sub:
        dags.append(_dag(random, SUB, tasks, starts=False, trouble=False, autostart=False))
    stops = any(task.stops_sub for task in tasks.values())
    troubled = stops or any(task.ending in (State.ABORTED, State.FAILED) for task in tasks.values())
    stop_after = random.uniform(0.0, 6.0) if random.random() < 0.15 else None
    tasks_at_once = random.choice((0, 3, TASKS_AT_ONCE))
    return Plan(WorkflowSpec("w", dags=tuple(dags)), tasks, stop_after, tasks_at_once, troubled)


def _dag(
    random: Random,
    name: str,
    tasks: dict[tuple[str, str], TaskPlan],
    *,
    starts: bool,
    trouble: bool,
    autostart: bool = True,
) -> DagSpec:
    count = random.choice((1, 2, 3, 4, 5, 7))
    crowd = random.random() < 0.1  # many that begin and end together
    if crowd:
        count = 9
    names = [f"t{index}" for index in range(count)]
    edges = []
    for child in range(1, count):
        if random.random() < 0.85:
            parents = [0] if crowd else random.sample(range(child), k=min(child, random.choice((1, 1, 2, 3))))
            edges += [(parent, child, None) for parent in sorted(parents)]
    specs = []
    for index, task in enumerate(names):
        children = [names[child] for parent, child, _ in edges if parent == index]
        plan = _task(random, task, children, starts=starts and index == 0, trouble=trouble)
        if crowd:
            plan = replace(plan, seconds=0.0)
        tasks[name, task] = plan
        specs.append(
            TaskSpec(
                task,
                force_run=random.random() < 0.1,
                propagate_skip=random.random() < 0.8,
                retries=plan.errors + random.choice((0, 0, 1)) if plan.ending is not State.FAILED else 0,
                retry_delay=random.choice((0.0, 0.0, 0.5, 3.0)),
            )
        )
    return DagSpec(name, autostart, tasks=tuple(specs), edges=tuple(edges))


def _task(random: Random, name: str, children: list[str], *, starts: bool, trouble: bool) -> TaskPlan:
    ending, limit = State.SUCCEEDED, None
    if children and random.random() < 0.25:
        limit = tuple(random.sample(children, k=random.randrange(len(children) + 1)))
    if random.random() < 0.08:
        ending, limit = State.STOPPED, ()
    if trouble and random.random() < 0.3:
        ending = random.choice((State.ABORTED, State.FAILED))
    return TaskPlan(
        name,
        errors=random.choice((0, 0, 0, 0, 1, 2)) if ending is not State.FAILED else 0,
        deaths=random.choice((0, 0, 0, 0, 0, 1, 2)),
        seconds=random.choice((0.0, 0.01, 0.1, 1.0, 4.0)),
        pushes=random.choice((0, 0, 0, 1, 2)),
        starts=random.choice((1, 2)) if starts else 0,
        joins=starts and random.random() < 0.7,
        stops_sub=starts and random.random() < 0.2,
        size=random.choice((1, 1, 1, 1, 1, 1, 1, 10_000)),
        ending=ending,
        limit=limit,
    )


@dataclass(frozen=True)
class Expected:
    """How every task of a DAG run ends, and what the data are."""

    states: dict[str, State]
    outputs: dict[str, bytes]


def expected(plan: Plan, dag: DagSpec) -> Expected:
    """The end of each task of a DAG, by the words of "Skipping" and of "Data between tasks"."""
    states: dict[str, State] = {}
    outputs: dict[str, bytes] = {}
    for index, task in enumerate(dag.tasks):
        parents = [dag.tasks[parent].name for parent, _ in dag.predecessors[index]]
        selected = [_selects(plan, dag, parent, task.name, states) for parent in parents]
        if parents and not task.force_run and not any(selected):
            states[task.name] = State.SKIPPED
            continue
        own = plan.tasks[dag.name, task.name]
        states[task.name] = own.ending
        outputs[task.name] = own.result([(name, outputs[name]) for name in parents if name in outputs])
    return Expected(states, outputs)


def _selects(plan: Plan, dag: DagSpec, parent: str, child: str, states: dict[str, State]) -> bool:
    if states[parent] is State.SKIPPED:
        spec = next(task for task in dag.tasks if task.name == parent)
        return not spec.propagate_skip
    limit = plan.tasks[dag.name, parent].limit
    return limit is None or child in limit
