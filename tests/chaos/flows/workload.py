"""Random workflows as data: from a seed, by a pure function, the same in every process.

It travels with the workflow files as one of their helpers, so it knows nothing but the standard library.
"""

from dataclasses import dataclass
from random import Random

SIZES = (0, 0, 0, 0, 200, 5_000, 70_000, 300_000)
"""Bytes of a task's output; over 64 KiB it is a blob."""

HUGE = 5_000_000
"""A blob of several chunks."""


OWN_QUEUE = "own"
"""The queue of the DAGs of every other workflow: a dag-runner begins them, a scheduler those of the others."""


@dataclass(frozen=True)
class TaskPlan:
    """What a task does. `parents` are (name, slot) pairs, `ending` is one of ENDINGS, `nap` is in seconds.

    It raises in its first `failures` attempts, starts and joins a DAG run of `starts` for each time that name is there,
    and pushes `pushes` items to the store.
    """

    name: str
    parents: tuple[tuple[str, str | None], ...] = ()
    ending: str = "returns"
    limit: tuple[str, ...] | None = None
    failures: int = 0
    retries: int = 0
    force_run: bool = False
    propagate_skip: bool = True
    starts: tuple[str, ...] = ()
    pushes: int = 0
    size: int = 0
    nap: float = 0.0


ENDINGS = ("returns", "stops", "stops alone", "fails", "aborts")
"""`stops` skips the successors, `stops alone` does not."""

TROUBLE = ("fails", "aborts")


@dataclass(frozen=True)
class DagPlan:
    """A DAG; one without autostart has a first task, and a last one that always runs."""

    name: str
    autostart: bool
    tasks: tuple[TaskPlan, ...]

    def task(self, name: str) -> TaskPlan:
        return {task.name: task for task in self.tasks}[name]


@dataclass(frozen=True)
class Plan:
    """A workflow."""

    seed: int
    dags: tuple[DagPlan, ...]

    @property
    def queue(self) -> str | None:
        """The queue of its DAGs, if they have one of their own."""
        return OWN_QUEUE if self.seed % 2 else None

    @property
    def has_trouble(self) -> bool:
        """Whether a task of it ends the run."""
        return any(task.ending in TROUBLE for dag in self.dags for task in dag.tasks)

    def dag(self, name: str) -> DagPlan:
        return {dag.name: dag for dag in self.dags}[name]


def plan_of(seed: int, largest: int = 300) -> Plan:
    """The workflow of a seed, of at most `largest` tasks in its main DAG."""
    random = Random(seed)
    subs = [f"sub{number}" for number in range(random.choice((0, 0, 1, 1, 2)))]
    trouble = random.choice(TROUBLE) if random.random() < 0.15 else None
    dags = [_dag(random, "main", _count(random, largest), starts=subs, trouble=trouble)]
    if random.random() < 0.25:
        dags.append(_dag(random, "beside", random.randint(1, 8), starts=subs))
    for number, name in enumerate(subs):
        dags.append(_sub(random, name, starts=subs[number + 1 :]))
    return Plan(seed, tuple(map(_without_failures, dags) if trouble else dags))


def _count(random: Random, largest: int) -> int:
    low, high = random.choice(((1, 1), (2, 10), (2, 10), (5, 30), (5, 30), (20, 60), (60, 300)))
    return min(random.randint(low, high), largest)


def _dag(random: Random, name: str, count: int, *, starts: list[str], trouble: str | None = None) -> DagPlan:
    names = [f"{name[0]}{number}" for number in range(count)]
    tasks = _tasks(random, names, starts)
    if trouble is not None:
        at = random.randrange(count)
        tasks[at] = _changed(tasks[at], ending=trouble, limit=None, failures=0, starts=())
    return DagPlan(name, True, tuple(tasks))


def _sub(random: Random, name: str, *, starts: list[str]) -> DagPlan:
    names = [f"{name}x{number}" for number in range(random.randint(0, 6))]
    first = TaskPlan("first")
    middle = [_changed(task, parents=task.parents or (("first", None),)) for task in _tasks(random, names, starts[:1])]
    inner = {parent for task in middle for parent, _ in task.parents}
    leaves = [task.name for task in middle if task.name not in inner]
    parents = tuple((leaf, None) for leaf in ("first", *leaves))
    return DagPlan(name, False, (first, *middle, TaskPlan("last", parents, force_run=True)))


def _tasks(random: Random, names: list[str], starts: list[str]) -> list[TaskPlan]:
    """Tasks of a layered graph: each has up to three parents among those shortly before it."""
    width = random.choice((1, 3, 10, 40))
    parents: dict[str, tuple[tuple[str, str | None], ...]] = {}
    children: dict[str, list[str]] = {name: [] for name in names}
    for at, name in enumerate(names):
        near = names[max(0, at - width) : at]
        chosen = random.sample(near, min(len(near), random.choice((0, 1, 1, 1, 2, 3))))
        parents[name] = tuple((parent, random.choice((None, None, f"{parent}_slot"))) for parent in chosen)
        for parent in chosen:
            children[parent].append(name)
    return [_task(random, name, parents[name], children[name], starts, len(names)) for name in names]


def _task(
    random: Random,
    name: str,
    parents: tuple[tuple[str, str | None], ...],
    children: list[str],
    starts: list[str],
    count: int,
) -> TaskPlan:
    failures = random.choice((1, 1, 2, 3)) if random.random() < 0.08 else 0
    limited = random.random() < 0.12 and children
    rare = min(1.0, 4 / count)  # a large DAG has not many more of what is dear than a small one
    return TaskPlan(
        name=name,
        parents=parents,
        ending=random.choices(ENDINGS[:3], (92, 4, 4))[0],
        limit=tuple(random.sample(children, random.randint(0, len(children)))) if limited else None,
        failures=failures,
        retries=failures + random.choice((0, 0, 1)),
        force_run=random.random() < 0.05,
        propagate_skip=random.random() < 0.9,
        starts=tuple(random.choices(starts, k=random.randint(1, 2)))
        if starts and random.random() < 0.15 * rare
        else (),
        pushes=random.choice((0, 0, 0, 1, 3)) if random.random() < rare else 0,
        size=HUGE if random.random() < 0.02 * rare else random.choice(SIZES) if random.random() < 4 * rare else 0,
        nap=random.choice((0.3, 0.6, 1.2)) if random.random() < 0.2 * rare else random.choice((0.0, 0.0, 0.005, 0.03)),
    )


def _without_failures(dag: DagPlan) -> DagPlan:
    """In a run that stops nothing is tried again: whether it met a task between two tries would decide how it ends."""
    return DagPlan(dag.name, dag.autostart, tuple(_changed(task, failures=0) for task in dag.tasks))


def _changed(task: TaskPlan, **values: object) -> TaskPlan:
    return TaskPlan(**{**{name: getattr(task, name) for name in TaskPlan.__dataclass_fields__}, **values})
