"""Random DAGs, driven by random looks of two dag-runners and random workers until nothing is left to do.

The model keeps what MongoDB would keep, one record per document, and each step of an actor is one atomic read or write;
between two steps anyone else may act. Dag-runners crash between steps, hints are lost, doubled and reordered, attempts
fail, die, are lost and come back to life. A sweep at the end looks at whatever is marked or dirty.
"""

from collections.abc import Generator
from dataclasses import dataclass, field, replace
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from lightflow.core.dag_machine import DagDecision, DagFacts, decide
from lightflow.core.graph import DagSpec, TaskSpec
from lightflow.core.outcomes import Bounds, Counts, Ending, Outcome, Rules, settle
from lightflow.core.readiness import Final, spread
from lightflow.core.states import DAG, FINAL, TASK, Reason, State

Steps = Generator[None, None, None]

TROUBLE = (State.ABORTED, State.FAILED)
MISHAPS = (Ending.ERROR, Ending.DIED, Ending.LOST, Ending.RETURNED)


# What a task will do, and what must become of it


@dataclass(frozen=True)
class Plan:
    """How the attempts of a task end, one after the other; the last one repeats."""

    endings: tuple[Ending, ...]
    limit: tuple[int, ...] | None = None

    def outcome(self, attempt: int) -> tuple[Ending, tuple[int, ...] | None]:
        return self.endings[min(attempt, len(self.endings) - 1)], self.limit

    def selects(self, successor: int) -> bool:
        return self.limit is None or successor in self.limit

    def fate(self, task: TaskSpec) -> State:
        """What the table "How a task may end" says, when nothing stops."""
        errors = deaths = 0
        attempt = 0
        while True:
            ending, _ = self.outcome(attempt)
            attempt += 1
            errors += ending is Ending.ERROR
            deaths += ending is Ending.DIED
            if ending in (Ending.SUCCEEDED, Ending.STOPPED, Ending.ABORTED):
                return State(ending.value)
            if errors > task.retries or deaths == 3:
                return State.FAILED


BLOCKED = "blocked"


def oracle(dag: DagSpec, plans: list[Plan]) -> dict[int, State | str]:
    """The end of each task by the words of "Skipping", by recursion; BLOCKED below one that aborted or failed."""
    ends: dict[int, State | str] = {}

    def end(index: int) -> State | str:
        if index not in ends:
            ends[index] = _end(index)
        return ends[index]

    def _end(index: int) -> State | str:
        parents = [parent for parent, _ in dag.predecessors[index]]
        if any(end(parent) in (BLOCKED, *TROUBLE) for parent in parents):
            return BLOCKED
        selected = [
            not dag.tasks[parent].propagate_skip if end(parent) is State.SKIPPED else plans[parent].selects(index)
            for parent in parents
        ]
        runs = not parents or dag.tasks[index].force_run or any(selected)
        return plans[index].fate(dag.tasks[index]) if runs else State.SKIPPED

    for index in range(len(dag.tasks)):
        end(index)
    return ends


# What MongoDB would keep


@dataclass
class TaskRun:
    state: State = State.WAITING
    marked: bool = False
    selected: tuple[int, ...] | None = None
    counts: Counts = field(default_factory=Counts)
    attempt: int = 0
    ran: bool = False


@dataclass
class World:
    dag: DagSpec
    plans: list[Plan]
    random: Random
    state: State = State.PENDING
    stop: Reason | None = None
    reason: Reason | None = None
    dirty: int | None = 0
    writes: int = 0
    tasks: dict[int, TaskRun] = field(default_factory=dict)
    hints: list[None] = field(default_factory=list)
    hint_loss: float = 0.0
    expected: dict[int, State | str] = field(default_factory=dict)

    def hint(self) -> None:
        """A hint that may be lost or doubled; which one is followed next is anyone's guess."""
        if self.random.random() >= self.hint_loss:
            self.hints += [None] * self.random.choice((1, 1, 1, 2))

    def request_stop(self, reason: Reason) -> None:
        if self.state not in FINAL:
            self.writes += 1
            self.stop, self.dirty = reason, self.writes
            self.hint()

    def become(self, expected: tuple[State, Reason | None], decision: DagDecision, dirty: int | None) -> bool:
        if (self.state, self.reason) != expected:
            return False
        assert decision.become is not None
        if decision.become is not self.state:
            DAG.check(self.state, decision.become)
        self.state = decision.become
        self.reason = decision.reason or self.reason
        if decision.begins and self.dirty == dirty:
            self.dirty = None
        return True

    def move(self, index: int, target: State, *sources: State, marked: bool = False) -> bool:
        """A filtered update of a task."""
        task = self.tasks.get(index)
        if task is None or task.state not in sources:
            return False
        TASK.check(task.state, target)
        if task.state is State.WAITING and target in (State.QUEUED, State.SKIPPED):
            self._through(index, target)
        task.state, task.marked = target, marked
        return True

    def _through(self, index: int, target: State) -> None:
        for parent, _ in self.dag.predecessors[index]:
            state = self.tasks[parent].state
            assert state in FINAL, f"task {index} became {target} before its predecessor {parent} was through"
            assert state not in TROUBLE, f"task {index} became {target} below one that {state}"
        if target is State.SKIPPED:
            assert self.expected[index] is State.SKIPPED, f"task {index} was skipped and should have run"
        elif self.state is State.RUNNING:
            assert self.expected[index] is not State.SKIPPED, f"task {index} was queued and should be skipped"

    def fresh(self) -> dict[int, Final]:
        return {i: Final(task.state, task.selected) for i, task in self.tasks.items() if task.marked}

    def ends(self, indexes: tuple[int, ...]) -> dict[int, Final]:
        found = {i: self.tasks[i] for i in indexes if i in self.tasks}
        return {i: Final(task.state, task.selected) for i, task in found.items() if task.state in FINAL}

    @property
    def over(self) -> bool:
        return self.state in FINAL and all(task.state in FINAL for task in self.tasks.values())


# Who acts


def look(world: World, cache: dict[int, Final]) -> Steps:
    """One look of a dag-runner, a step at a time."""
    while True:
        fresh = world.fresh()
        yield
        dirty = world.dirty
        facts = DagFacts(
            state=world.state,
            stop=world.stop,
            reason=world.reason,
            fresh=fresh,
            known={**cache, **fresh},
            begins=dirty is not None,
        )
        yield
        if (yield from _follow(world, facts, cache, dirty)):
            break
    if world.dirty == dirty:
        world.dirty = None


def _follow(world: World, facts: DagFacts, cache: dict[int, Final], dirty: int | None) -> Generator[None, None, bool]:
    """Decide and act until the look is complete; False when it must start over."""
    while True:
        decision = decide(world.dag, facts)
        if decision.probe:
            ends = world.ends(decision.probe)
            still_open = facts.still_open | {index for index in decision.probe if index not in ends}
            facts = replace(facts, known={**facts.known, **ends}, still_open=still_open, breadth=facts.breadth * 2)
            yield
            continue
        moved = yield from _act(world, facts, decision, dirty)
        if moved is None:
            return False
        cache.update(facts.known)
        if not decision.count and not decision.again:
            return True
        state, reason = decision.become or facts.state, decision.reason or facts.reason
        if not decision.count:
            facts = replace(facts, state=state, reason=reason, remaining=None)
            continue
        open_tasks = moved > 0 or any(task.state not in FINAL for task in world.tasks.values())
        if not open_tasks and world.fresh().keys() - facts.fresh.keys():
            return False
        facts = replace(facts, state=state, reason=reason, remaining=open_tasks)
        yield


def _act(world: World, facts: DagFacts, decision: DagDecision, dirty: int | None) -> Generator[None, None, int | None]:
    """How many tasks it queued itself, one by one; None when the DAG run is no longer as it was seen."""
    moved = 0
    if decision.create_tasks:
        # In any order, but for those that are queued: whoever runs one must find what follows it.
        shuffled = world.random.sample(range(len(world.dag.tasks)), len(world.dag.tasks))
        for index in sorted(shuffled, key=lambda index: index in decision.queue):
            created = TaskRun(state=State.QUEUED if index in decision.queue else State.WAITING)
            world.tasks.setdefault(index, created)
            if index % 8 == 0:
                yield
        yield
    if decision.become is not None:
        if not world.become((facts.state, facts.reason), decision, dirty):
            return None
        yield
    if decision.stop_open:
        # As an index would be walked: one that moves from waiting to queued meanwhile is missed.
        for state in (State.QUEUED, State.WAITING):
            for index in [index for index, task in world.tasks.items() if task.state is state]:
                world.move(index, State.STOPPED, State.QUEUED, State.WAITING)
                if index % 4 == 0:
                    yield
    for index in decision.skip:
        world.move(index, State.SKIPPED, State.WAITING)
        yield
    for index in () if decision.create_tasks else decision.queue:
        moved += world.move(index, State.QUEUED, State.WAITING)
        yield
    for index in decision.propagated:
        world.tasks[index].marked = False
        if index % 4 == 0:
            yield
    return moved


def work(world: World, index: int) -> Steps:
    """One attempt: claim, read the stop facts, run user code, commit, perhaps hand over."""
    task = world.tasks[index]
    if not world.move(index, State.RUNNING, State.QUEUED):
        return
    task.attempt += 1
    attempt = task.attempt
    yield
    ending, limit = world.plans[index].outcome(attempt - 1)
    if world.stop is not None or world.state not in (State.PENDING, State.RUNNING):
        ending = Ending.RETURNED
    else:
        yield
        assert world.expected[index] not in (State.SKIPPED, BLOCKED), f"task {index} ran and should not have"
        task.ran = True
        yield
    stopping = world.stop is not None or world.state not in (State.PENDING, State.RUNNING)
    yield
    for _ in range(world.random.choice((1, 1, 2))):  # a lost reply has the commit repeated
        if task.state is not State.RUNNING or task.attempt != attempt:
            return  # fenced
        _commit(world, index, ending, limit, stopping)
        yield
    if ending is Ending.LOST:
        yield
        # The worker was only slow: its outcome comes after all, and is refused when the task runs elsewhere.
        assert task.state is not State.RUNNING or task.attempt != attempt
    elif ending in (Ending.SUCCEEDED, Ending.STOPPED) and world.random.random() < 0.3:
        yield from _hand_over(world, index)


def _commit(world: World, index: int, ending: Ending, limit: tuple[int, ...] | None, stopping: bool) -> None:
    task = world.tasks[index]
    rules = Rules(world.dag.tasks[index].retry_policy, Bounds(), stopping, chance=0.0)
    settlement = settle(Outcome(ending), task.counts, rules)
    task.counts = settlement.counts
    if ending in (Ending.SUCCEEDED, Ending.STOPPED):
        task.selected = limit
    world.move(index, settlement.state, State.RUNNING, marked=settlement.state in FINAL)
    if task.marked:
        world.hint()


def _hand_over(world: World, index: int) -> Steps:
    """The worker moves what follows itself, by the same rule."""
    known = world.ends(tuple(range(len(world.dag.tasks))))
    yield
    follows = spread(world.dag, known, [index])
    for child in follows.skipped:
        world.move(child, State.SKIPPED, State.WAITING)
        yield
    for child in follows.ready:
        world.move(child, State.QUEUED, State.WAITING)
        yield


# The driver


@dataclass
class Weather:
    """What may go wrong, and when a stop is asked for (as a share of the steps of a usual run)."""

    seed: int
    hint_loss: float
    crashes: int
    stop_at: int | None
    stop_reason: Reason = Reason.STOPPED


def drive(dag: DagSpec, plans: list[Plan], weather: Weather) -> World:
    """Let everyone act in random order until nothing is left to do."""
    random = Random(weather.seed)
    world = World(dag, plans, random, hint_loss=weather.hint_loss, expected=oracle(dag, plans))
    caches: list[dict[int, Final]] = [{}, {}]
    actors: list[tuple[int | None, Steps]] = []
    crashes, clock = weather.crashes, 0
    world.hint()
    while True:
        clock += 1
        assert clock < 200_000, "it goes round in circles"
        if clock == weather.stop_at:
            world.request_stop(weather.stop_reason)
        claimable = [index for index, task in world.tasks.items() if task.state is State.QUEUED]
        choices = [*["act"] * min(len(actors), 4), *["look"] * min(len(world.hints), 2), *["claim"] * bool(claimable)]
        if not choices:
            if not _sweep(world):
                return world
            continue
        choice = random.choice(choices)
        if choice == "claim":
            actors.append((None, work(world, random.choice(claimable))))
        elif choice == "look":
            world.hints.pop()
            runner = random.randrange(2)
            actors.append((runner, look(world, caches[runner])))
        else:
            at = random.randrange(len(actors))
            actor, steps = actors[at]
            if actor is not None and crashes and random.random() < 0.1:
                crashes -= 1
                caches[actor] = {}
                actors = [other for other in actors if other[0] != actor]
            elif next(steps, StopIteration) is StopIteration:
                actors.pop(at)


def _sweep(world: World) -> bool:
    """Look again at what is marked or dirty; whether there was anything."""
    due = world.dirty is not None or any(task.marked for task in world.tasks.values())
    if due:
        world.hints.append(None)
    return due


# What must hold at the end


def check_end(world: World, weather: Weather) -> None:
    """Every task ended exactly once (the model refuses to move what is final), as the oracle says."""
    assert world.over, f"stuck: {world.state}, {[task.state for task in world.tasks.values()]}"
    assert len(world.tasks) == len(world.dag.tasks)
    states = [world.tasks[index].state for index in range(len(world.dag.tasks))]
    causes = [Reason(state) for state in states if state in TROUBLE]
    if world.state is State.SUCCEEDED:
        assert not causes
        assert dict(enumerate(states)) == world.expected
    else:
        allowed = {*causes, world.stop} if world.stop else set(causes)
        assert Reason(world.state) in allowed
        assert all(list(Reason).index(cause) <= list(Reason).index(Reason(world.state)) for cause in causes)
    if weather.stop_at is None and not any(end in (BLOCKED, *TROUBLE) for end in world.expected.values()):
        assert world.state is State.SUCCEEDED
    for index, task in world.tasks.items():
        assert not task.marked
        _check_task(world, index, task)


def _check_task(world: World, index: int, task: TaskRun) -> None:
    expected = world.expected[index]
    if task.state is State.SKIPPED:
        assert expected is State.SKIPPED
        assert not task.ran
    elif expected in (State.SKIPPED, BLOCKED):
        assert task.state is State.STOPPED
        assert not task.ran
    elif task.state is not expected:
        assert world.state is not State.SUCCEEDED
        assert task.state in (State.STOPPED, State.FAILED)


# What is tried


@st.composite
def dags(draw: st.DrawFn) -> DagSpec:
    """1-40 tasks whose order in the spec says nothing about the order of the graph."""
    count = draw(st.integers(1, 40))
    spread_ = draw(st.sampled_from((2, 5, 40)))
    pairs = draw(st.lists(st.tuples(st.integers(0, count - 1), st.integers(1, spread_)), max_size=2 * count))
    place = Random(draw(st.integers(0, 999))).sample(range(count), count)
    edges = dict.fromkeys((place[a], place[a + step]) for a, step in pairs if a + step < count)
    flags = st.tuples(st.booleans(), st.booleans(), st.integers(0, 2))
    kinds = draw(st.lists(flags, min_size=count, max_size=count))
    tasks = tuple(
        TaskSpec(f"t{i}", force_run=force and i % 3 == 0, propagate_skip=not propagates, retries=retries)
        for i, (force, propagates, retries) in enumerate(kinds)
    )
    return DagSpec("dag", tasks=tasks, edges=tuple((a, b, None) for a, b in edges))


@st.composite
def plans_for(draw: st.DrawFn, dag: DagSpec, *, calm: bool) -> list[Plan]:
    last = st.sampled_from([Ending.SUCCEEDED] * 6 + [Ending.STOPPED] * 2 + [Ending.ABORTED] * (not calm))
    mishaps = st.lists(st.sampled_from(MISHAPS), max_size=4)
    plans = []
    for index, task in enumerate(dag.tasks):
        before, ending = draw(mishaps), draw(last)
        if calm:  # within what a task may suffer
            before = [e for n, e in enumerate(before) if before[: n + 1].count(e) <= _bound(e, task)]
        limit = draw(st.none() | st.just(()) | st.just(dag.successors[index][::2])) if dag.successors[index] else None
        if ending is Ending.STOPPED:
            limit = draw(st.sampled_from((None, ())))
        plans.append(Plan((*before, ending), limit))
    return plans


def _bound(ending: Ending, task: TaskSpec) -> int:
    return {Ending.ERROR: task.retries, Ending.DIED: 2}.get(ending, 4)


@st.composite
def calm_runs(draw: st.DrawFn) -> tuple[DagSpec, list[Plan], Weather]:
    """Nothing that stops the run, whatever else goes wrong."""
    dag = draw(dags())
    return dag, draw(plans_for(dag, calm=True)), draw(weathers(stops=False))


@st.composite
def stormy_runs(draw: st.DrawFn) -> tuple[DagSpec, list[Plan], Weather]:
    """Aborts, failures and requests to stop as well."""
    dag = draw(dags())
    return dag, draw(plans_for(dag, calm=draw(st.booleans()))), draw(weathers(stops=True))


@st.composite
def weathers(draw: st.DrawFn, *, stops: bool) -> Weather:
    stop_at = draw(st.none() | st.integers(1, 30) | st.integers(1, 1000)) if stops else None
    return Weather(
        seed=draw(st.integers(0, 2**32)),
        hint_loss=draw(st.sampled_from((0.0, 0.3, 0.9))),
        crashes=draw(st.integers(0, 8)),
        stop_at=stop_at,
        stop_reason=draw(st.sampled_from(Reason)),
    )


@given(calm_runs())
def test_without_a_stop_exactly_the_tasks_run_that_the_rules_select_and_the_dag_run_succeeds(
    run: tuple[DagSpec, list[Plan], Weather],
) -> None:
    dag, plans, weather = run
    world = drive(dag, plans, weather)
    check_end(world, weather)
    assert world.state is State.SUCCEEDED


@given(stormy_runs())
def test_whatever_aborts_fails_or_is_stopped_every_task_ends_once_and_the_strongest_reason_wins(
    run: tuple[DagSpec, list[Plan], Weather],
) -> None:
    dag, plans, weather = run
    check_end(drive(dag, plans, weather), weather)
