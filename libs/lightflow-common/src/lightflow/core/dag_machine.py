"""What a DAG run does next: facts in, a decision out.

Looks may overlap and may end half way. What keeps them safe: a look reads the marks before it reads the DAG run; it
saves a move only where state and reason are still those of its facts, and starts over where they are not; it clears
marks last, and where it saw no open task it first asks whether the DAG run has come to its end. That a task is due says
nothing: whoever queued it before may have broken off when it had ended and its mark was cleared. Nor does one that was
seen open and is skipped by this very look.
"""

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
    `begins` is set while the look that starts the DAG run is not complete; `remaining`, None until it is known, tells
    whether a task is not final (where none is, but one is marked and not fresh, the look starts over);
    `breadth` is how many predecessors of one task are asked for at once.
    """

    state: State
    stop: Reason | None = None
    reason: Reason | None = None
    fresh: Facts = field(default_factory=dict)
    known: Facts = field(default_factory=dict)
    still_open: frozenset[int] = frozenset()
    begins: bool = False
    remaining: bool | None = None
    breadth: int = 1


@dataclass(frozen=True, slots=True)
class DagDecision:
    """What to save and do, in this order; `probe` and `count` ask for facts and another decision, `again` for that.

    What `count` asks, whether a task remains open, is known without reading where every task of `queue` was moved.

    Tasks that are created and are to be queued are queued from the first. Others are skipped before any is queued: a
    task may run because one before it was skipped.
    """

    probe: tuple[int, ...] = ()
    create_tasks: bool = False
    become: State | None = None
    reason: Reason | None = None
    stop_open: bool = False
    skip: tuple[int, ...] = ()
    queue: tuple[int, ...] = ()
    propagated: tuple[int, ...] = ()
    count: bool = False
    again: bool = False

    @property
    def begins(self) -> bool:
        """Whether the DAG run begins by this, and nothing is left to do of that."""
        return self.become is State.RUNNING and not self.again


def decide(dag: DagSpec, facts: DagFacts) -> DagDecision:
    """The next step of a DAG run."""
    if facts.state in FINAL:
        return DagDecision(stop_open=facts.begins, propagated=tuple(facts.fresh))
    reason = strongest([facts.stop, facts.reason, *map(_reason_of, facts.fresh.values())])
    if facts.state is State.PENDING:
        return _begin(dag, facts, reason)
    if reason is not None:
        return _stop(facts, reason)
    return _go_on(dag, facts)


def _reason_of(end: Final) -> Reason | None:
    return _REASONS.get(end.state)


def _begin(dag: DagSpec, facts: DagFacts, reason: Reason | None) -> DagDecision:
    if reason is None:
        queue = tuple(root for root in dag.roots if root not in facts.known)
        again = bool(facts.fresh)  # an earlier look broke off, and its tasks did not wait
        return DagDecision(create_tasks=True, become=State.RUNNING, queue=queue, count=not dag.tasks, again=again)
    if facts.remaining is None:
        # They are created all the same: a look that overlaps and did not see the reason then queues none behind us.
        return DagDecision(create_tasks=True, stop_open=True, count=True)
    if facts.remaining or facts.fresh:
        return DagDecision(become=State.RUNNING, again=True)
    return DagDecision(become=DAG.check(State.PENDING, State(reason)), reason=reason)


def _stop(facts: DagFacts, reason: Reason) -> DagDecision:
    if facts.state is State.RUNNING or reason is not facts.reason:
        return DagDecision(become=State.STOPPING, reason=reason, stop_open=True, count=True)
    if facts.remaining is None:
        return DagDecision(stop_open=True, count=True)
    become = None if facts.remaining else DAG.check(State.STOPPING, State(reason))
    return DagDecision(become=become, reason=reason, propagated=tuple(facts.fresh))


def _go_on(dag: DagSpec, facts: DagFacts) -> DagDecision:
    if facts.remaining is not None:
        become = None if facts.remaining else DAG.check(State.RUNNING, State.SUCCEEDED)
        return DagDecision(become=become, propagated=tuple(facts.fresh))
    follows = spread(dag, facts.known, facts.fresh, facts.still_open, facts.breadth)
    if follows.unknown:
        return DagDecision(probe=follows.unknown)
    roots = (root for root in dag.roots if root not in facts.known) if facts.begins else ()
    queue = tuple(dict.fromkeys([*roots, *follows.ready]))
    if facts.still_open.difference(follows.skipped):
        return DagDecision(queue=queue, skip=follows.skipped, propagated=tuple(facts.fresh))
    return DagDecision(queue=queue, skip=follows.skipped, count=True)
