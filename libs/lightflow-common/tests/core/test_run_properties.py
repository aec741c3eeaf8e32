"""Random runs of several DAG runs, driven by two schedulers, random ends, starts and stops until nothing is left to do.

A look is what the scheduler does: read the marks of the DAG runs, then the run, decide, create, save, ask to stop,
clear the marks where nothing moves, and again until there is nothing to do. Each step is one atomic read or write.
"""

from collections.abc import Generator
from dataclasses import dataclass, field
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from lightflow.core.run_machine import RunDecision, RunFacts, Start, decide
from lightflow.core.states import DAG, FINAL, RUN, Reason, State, strongest

Steps = Generator[None, None, None]
Marks = dict[str, tuple[State, Reason | None]]


@dataclass
class DagRun:
    """What becomes of a DAG run is drawn when it begins; `starts` are the DAG runs that its tasks ask for."""

    trouble: Reason | None
    starts: int
    state: State = State.PENDING
    stop: Reason | None = None
    reason: Reason | None = None
    marked: bool = False


@dataclass
class World:
    random: Random
    troubles: list[Reason | None]
    state: State = State.PENDING
    reason: Reason | None = None
    told: Reason | None = None
    dirty: int | None = 0
    writes: int = 0
    starts: dict[str, Start] = field(default_factory=dict)
    dag_runs: dict[str, DagRun] = field(default_factory=dict)
    hints: int = 1
    hint_loss: float = 0.0
    asked_to_stop: bool = False
    never_began: bool = False

    def hint(self) -> None:
        if self.random.random() >= self.hint_loss:
            self.hints += self.random.choice((1, 1, 2))

    def touch(self) -> None:
        self.writes += 1
        self.dirty = self.writes
        self.hint()

    def start_dag(self) -> None:
        """What a task may ask for; refused once the run is stopping."""
        if self.state is State.RUNNING:
            name = f"d:{len(self.starts) + 1}"
            self.starts[name] = Start(name, created=False, final=False)
            self.touch()

    def request_stop(self) -> None:
        target = {State.PENDING: State.STOPPED, State.RUNNING: State.STOPPING}.get(self.state)
        if target is not None:
            self.never_began = target is State.STOPPED
            RUN.check(self.state, target)
            self.state, self.reason, self.asked_to_stop = target, Reason.STOPPED, True
            self.touch()

    def create(self, name: str) -> None:
        if name not in self.dag_runs:
            trouble = self.troubles[len(self.dag_runs) % len(self.troubles)]
            self.dag_runs[name] = DagRun(trouble, self.random.choice((0, 0, 0, 1, 2)) if len(self.starts) < 8 else 0)

    def save(self, facts: RunFacts, decision: RunDecision) -> bool:
        """One filtered update: the move, and which DAG runs exist and which are final."""
        open_starts = {name for name, start in self.starts.items() if not start.final} - facts.ended.keys()
        ends = decision.become in FINAL and facts.state is not State.PENDING
        if (self.state, self.reason) != (facts.state, facts.reason) or (ends and open_starts):
            return False
        if decision.become is not None and decision.become is not self.state:
            RUN.check(self.state, decision.become)
            if ends:
                assert all(dag_run.state in FINAL for dag_run in self.dag_runs.values())
        self.state, self.reason = decision.become or self.state, decision.reason or self.reason
        for name in (*decision.create, *facts.ended):
            start = self.starts[name]
            self.starts[name] = Start(name, True, start.final or name in facts.ended)
        return True


def look(world: World) -> Steps:
    while True:
        marked = {name: (dag_run.state, dag_run.reason) for name, dag_run in world.dag_runs.items() if dag_run.marked}
        yield
        state, reason, told, dirty = world.state, world.reason, world.told, world.dirty
        starts = tuple(world.starts.values())
        troubles = frozenset(cause for _, cause in marked.values() if cause is not None)
        ended = {name: end for name, (end, _) in marked.items() if end in FINAL}
        facts = RunFacts(state, reason, starts, ended, troubles, told is not None and told is reason)
        yield
        decision = decide(facts)
        if state in FINAL:
            yield from _close(world, marked)
        elif decision != RunDecision(reason=reason) or marked:
            yield from _act(world, facts, decision, marked)
            continue
        if world.dirty == dirty:
            world.dirty = None
        return


def _act(world: World, facts: RunFacts, decision: RunDecision, marked: Marks) -> Steps:
    for name in decision.create:
        world.create(name)
        yield
    if not world.save(facts, decision):
        return
    yield
    if decision.stop_dags:
        assert decision.reason is not None
        yield from _stop_dags(world, decision.reason)
    if decision.become is None:  # or else the marks are what makes the next look due
        yield from _saw(world, marked)


def _stop_dags(world: World, reason: Reason) -> Steps:
    for dag_run in list(world.dag_runs.values()):
        if dag_run.state not in FINAL:
            dag_run.stop = reason
            yield
    world.told = reason
    yield


def _saw(world: World, marked: Marks) -> Steps:
    for name, (state, _) in marked.items():
        if world.dag_runs[name].state is state:
            world.dag_runs[name].marked = False
        yield


def _close(world: World, marked: Marks) -> Steps:
    yield from _stop_dags(world, Reason.STOPPED)
    yield from _saw(world, marked)


def advance(world: World, dag_run: DagRun) -> None:
    """One move of a DAG run, by its own machine."""
    if dag_run.state is State.PENDING:
        _become(world, dag_run, State(dag_run.stop) if dag_run.stop else State.RUNNING)
    elif dag_run.state is State.RUNNING:
        if dag_run.starts:
            dag_run.starts -= 1
            world.start_dag()
        elif dag_run.stop or dag_run.trouble:
            dag_run.reason = dag_run.stop or dag_run.trouble
            _become(world, dag_run, State.STOPPING)
        else:
            _become(world, dag_run, State.SUCCEEDED)
    else:
        assert dag_run.reason is not None
        _become(world, dag_run, State(dag_run.reason))


def _become(world: World, dag_run: DagRun, target: State) -> None:
    dag_run.state = DAG.check(dag_run.state, target)
    if target is not State.RUNNING:
        dag_run.marked = True
        world.hint()


@dataclass
class Weather:
    seed: int
    dags: int
    troubles: list[Reason | None]
    hint_loss: float
    crashes: int
    stop_at: int | None


def drive(weather: Weather) -> World:
    random = Random(weather.seed)
    world = World(random, weather.troubles, hint_loss=weather.hint_loss)
    world.starts = {f"d:{n + 1}": Start(f"d:{n + 1}", False, False) for n in range(weather.dags)}
    actors: list[Steps] = []
    crashes, clock = weather.crashes, 0
    while True:
        clock += 1
        assert clock < 50_000, "it goes round in circles"
        if clock == weather.stop_at:
            world.request_stop()
        open_ = [dag_run for dag_run in world.dag_runs.values() if dag_run.state not in FINAL]
        choices = [*["act"] * len(actors[:3]), *["look"] * min(world.hints, 1), *["advance"] * bool(open_)]
        if not choices:
            if world.dirty is None and not any(dag_run.marked for dag_run in world.dag_runs.values()):
                return world
            world.hints += 1  # the sweep
            continue
        choice = random.choice(choices)
        if choice == "look":
            world.hints -= 1
            actors.append(look(world))
        elif choice == "advance":
            advance(world, random.choice(open_))
        else:
            at = random.randrange(len(actors))
            crash = bool(crashes) and random.random() < 0.1
            crashes -= crash
            if crash or next(actors[at], StopIteration) is StopIteration:
                actors.pop(at)


weathers = st.builds(
    Weather,
    seed=st.integers(0, 2**32),
    dags=st.integers(0, 6),
    troubles=st.lists(st.sampled_from([None] * 5 + list(Reason)), min_size=1, max_size=8),
    hint_loss=st.sampled_from((0.0, 0.3, 0.9)),
    crashes=st.integers(0, 6),
    stop_at=st.none() | st.integers(1, 30) | st.integers(1, 200),
)


@given(weathers)
def test_every_run_ends_after_its_dag_runs_and_for_the_strongest_reason_among_theirs(weather: Weather) -> None:
    world = drive(weather)
    assert world.state in FINAL, "stuck"
    assert all(dag_run.state in FINAL for dag_run in world.dag_runs.values())
    if world.never_began:
        assert world.state is State.STOPPED
        return
    assert world.starts.keys() == world.dag_runs.keys()
    causes = {Reason(dag_run.state) for dag_run in world.dag_runs.values() if dag_run.state is not State.SUCCEEDED}
    causes.discard(Reason.STOPPED)  # by stop_dag: no matter of the run
    if world.asked_to_stop:
        causes.add(Reason.STOPPED)
    expected = strongest(causes)
    assert world.state is (State(expected) if expected else State.SUCCEEDED)
