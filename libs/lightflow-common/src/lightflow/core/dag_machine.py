"""What a DAG run does next: facts in, a decision out."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from lightflow.core.graph import DagSpec
from lightflow.core.readiness import Facts, Final, spread
from lightflow.core.states import DAG, FINAL, Reason, State, strongest

_REASONS: Mapping[State, Reason] = {State.ABORTED: Reason.ABORTED, State.FAILED: Reason.FAILED}


@dataclass(frozen=True, slots=True)
class DagFacts:
    """What is known of a DAG run at one look.

    `stop` is what someone asked for, `reason` what is on record; `fresh` are the ended tasks whose successors nobody
    has looked at; `known` all tasks known to have ended, the fresh ones included; `still_open` tasks known not to have;
    `begins` is set while the look that starts the DAG run is not complete; `remaining` is None until it was asked.
    """

    state: State
    stop: Reason | None = None
    reason: Reason | None = None
    fresh: Facts = field(default_factory=dict)
    known: Facts = field(default_factory=dict)
    still_open: frozenset[int] = frozenset()
    begins: bool = False
    remaining: bool | None = None


@dataclass(frozen=True, slots=True)
class DagDecision:
    """What to save and do, in this order; `probe` and `count` ask for facts and for another decision."""

    probe: tuple[int, ...] = ()
    create_tasks: bool = False
    become: State | None = None
    reason: Reason | None = None
    stop_open: bool = False
    queue: tuple[int, ...] = ()
    skip: tuple[int, ...] = ()
    propagated: tuple[int, ...] = ()
    count: bool = False


def decide(dag: DagSpec, facts: DagFacts) -> DagDecision:
    """The next step of a DAG run."""
    if facts.state in FINAL:
        return DagDecision(propagated=tuple(facts.fresh))
    reason = strongest([facts.stop, facts.reason, *map(_reason_of, facts.fresh.values())])
    if facts.state is State.PENDING:
        return _begin(dag, reason)
    if reason is not None:
        return _stop(facts, reason)
    return _go_on(dag, facts)


def _reason_of(end: Final) -> Reason | None:
    return _REASONS.get(end.state)


def _begin(dag: DagSpec, reason: Reason | None) -> DagDecision:
    if reason is not None:
        return DagDecision(become=DAG.check(State.PENDING, State(reason)), reason=reason)
    return DagDecision(create_tasks=True, become=State.RUNNING, queue=dag.roots, count=not dag.tasks)


def _stop(facts: DagFacts, reason: Reason) -> DagDecision:
    propagated = tuple(facts.fresh)
    if facts.state is State.RUNNING or reason is not facts.reason:
        return DagDecision(become=State.STOPPING, reason=reason, stop_open=True, propagated=propagated, count=True)
    if facts.remaining is None:
        return DagDecision(stop_open=True, propagated=propagated, count=True)
    if facts.remaining:
        return DagDecision()
    return DagDecision(become=DAG.check(State.STOPPING, State(reason)), reason=reason)


def _go_on(dag: DagSpec, facts: DagFacts) -> DagDecision:
    follows = spread(dag, facts.known, facts.fresh, facts.still_open)
    if follows.unknown:
        return DagDecision(probe=follows.unknown)
    queue = tuple(dict.fromkeys([*(dag.roots if facts.begins else ()), *follows.ready]))
    if facts.fresh or queue:
        count = not queue and not facts.still_open
        return DagDecision(queue=queue, skip=follows.skipped, propagated=tuple(facts.fresh), count=count)
    if facts.remaining is None:
        return DagDecision(count=True)
    return DagDecision() if facts.remaining else DagDecision(become=State.SUCCEEDED)
