"""What a run does next: facts in, a decision out."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from lightflow.core.states import FINAL, RUN, Reason, State, strongest

_REASONS: Mapping[State, Reason] = {State.ABORTED: Reason.ABORTED, State.FAILED: Reason.FAILED}


@dataclass(frozen=True, slots=True)
class Start:
    """A DAG run that was asked for: its name (with :n), whether its document exists, and whether it is final."""

    name: str
    created: bool
    final: bool


@dataclass(frozen=True, slots=True)
class RunFacts:
    """What is known of a run at one look; `ended` are DAG runs that are final and not yet seen, with their reasons.

    A DAG run that someone stopped ends stopped and does not change how the run ends.
    """

    state: State
    reason: Reason | None = None
    starts: tuple[Start, ...] = ()
    ended: Mapping[str, State] = field(default_factory=dict)
    told_to_stop: bool = False


@dataclass(frozen=True, slots=True)
class RunDecision:
    """What to save and do, in this order."""

    store_arguments: bool = False
    create: tuple[str, ...] = ()
    become: State | None = None
    reason: Reason | None = None
    stop_dags: bool = False
    seen: tuple[str, ...] = ()


def decide(facts: RunFacts) -> RunDecision:
    """The next step of a run."""
    seen = tuple(facts.ended)
    if facts.state in FINAL:
        return RunDecision(seen=seen)
    create = tuple(start.name for start in facts.starts if not start.created)
    if facts.state is State.PENDING:
        return RunDecision(store_arguments=True, create=create, become=State.RUNNING)
    reason = strongest([facts.reason, *(_REASONS.get(state) for state in facts.ended.values())])
    if reason is not facts.reason:
        return RunDecision(create=create, become=State.STOPPING, reason=reason, stop_dags=True, seen=seen)
    stop_dags = reason is not None and (bool(create) or not facts.told_to_stop)
    open_starts = any(not start.final and start.name not in facts.ended for start in facts.starts)
    become = None if open_starts or create else RUN.check(facts.state, State(reason) if reason else State.SUCCEEDED)
    return RunDecision(create=create, become=become, reason=reason, stop_dags=stop_dags, seen=seen)
