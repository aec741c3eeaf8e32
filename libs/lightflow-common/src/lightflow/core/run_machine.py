"""What a run does next: facts in, a decision out."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from lightflow.core.graph import DagSpec
from lightflow.core.states import FINAL, RUN, Reason, State, strongest

_REASONS: Mapping[State, Reason] = {State.ABORTED: Reason.ABORTED, State.FAILED: Reason.FAILED}

TASKS_AT_ONCE = 100
"""Tasks that one look at a run creates at most; of larger DAG runs a dag-runner creates them."""


@dataclass(frozen=True, slots=True)
class Start:
    """A DAG run that was asked for: its name (with :n), whether its document exists, and whether it is final."""

    name: str
    created: bool
    final: bool


@dataclass(frozen=True, slots=True)
class RunFacts:
    """What is known of a run at one look.

    `ended` are DAG runs that became final and were not seen yet, `troubles` the reasons of those that are stopping.
    A DAG run that someone stopped does not change how the run ends. `told_to_stop` is set once every DAG run that
    exists was asked to stop for this reason.
    """

    state: State
    reason: Reason | None = None
    starts: tuple[Start, ...] = ()
    ended: Mapping[str, State] = field(default_factory=dict)
    troubles: frozenset[Reason] = frozenset()
    told_to_stop: bool = False


@dataclass(frozen=True, slots=True)
class RunDecision:
    """What to save and do, in this order; that the ended DAG runs were seen is saved with the move."""

    store_arguments: bool = False
    create: tuple[str, ...] = ()
    become: State | None = None
    reason: Reason | None = None
    stop_dags: bool = False


def decide(facts: RunFacts) -> RunDecision:
    """The next step of a run."""
    if facts.state in FINAL:
        return RunDecision()
    create = tuple(start.name for start in facts.starts if not start.created)
    if facts.state is State.PENDING:
        return _begin(facts, create)
    causes = [_REASONS.get(state) for state in facts.ended.values()]
    causes += [reason for reason in facts.troubles if reason is not Reason.STOPPED]
    reason = strongest([facts.reason, *causes])
    if reason is not facts.reason or (reason is not None and facts.state is State.RUNNING):
        return RunDecision(create=create, become=State.STOPPING, reason=reason, stop_dags=True)
    stop_dags = reason is not None and (bool(create) or not facts.told_to_stop)
    open_starts = any(not start.final and start.name not in facts.ended for start in facts.starts)
    become = None if open_starts or create else RUN.check(facts.state, State(reason) if reason else State.SUCCEEDED)
    return RunDecision(create=create, become=become, reason=reason, stop_dags=stop_dags)


def _begin(facts: RunFacts, create: tuple[str, ...]) -> RunDecision:
    if facts.reason is None:
        return RunDecision(store_arguments=True, create=create, become=State.RUNNING)
    return RunDecision(become=RUN.check(State.PENDING, State(facts.reason)), reason=facts.reason, stop_dags=True)


def begin_at_once(dags: Mapping[str, DagSpec]) -> tuple[str, ...]:
    """Of DAG runs that are to be created, by name, those that begin by it, because their tasks are created before.

    These are so few that a look at the run takes no longer for it. A DAG with a queue of its own waits for a dag-runner
    that serves that.
    """
    chosen, tasks = [], 0
    for name, dag in dags.items():
        if dag.tasks and dag.queue == DagSpec.queue and tasks + len(dag.tasks) <= TASKS_AT_ONCE:
            chosen.append(name)
            tasks += len(dag.tasks)
    return tuple(chosen)
