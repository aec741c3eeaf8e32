"""States, and the one table of legal moves between them.

docs/state-machines.md draws this table; a test holds the two together.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from lightflow.core.errors import IllegalMove


class State(StrEnum):
    """What a run, a DAG run or a task is in."""

    PENDING = "pending"
    WAITING = "waiting"
    QUEUED = "queued"
    RUNNING = "running"
    STOPPING = "stopping"
    SUCCEEDED = "succeeded"
    SKIPPED = "skipped"
    STOPPED = "stopped"
    ABORTED = "aborted"
    FAILED = "failed"


class Service(StrEnum):
    """Who makes a move."""

    SCHEDULER = "scheduler"
    DAG_RUNNER = "dag-runner"
    TASK_WORKER = "task-worker"


class Reason(StrEnum):
    """Why something is stopping, weakest first; each is also the state in which it ends."""

    STOPPED = "stopped"
    ABORTED = "aborted"
    FAILED = "failed"


FINAL = frozenset({State.SUCCEEDED, State.SKIPPED, State.STOPPED, State.ABORTED, State.FAILED})

GOING_ON = frozenset({State.PENDING, State.RUNNING})
"""States of runs and DAG runs whose tasks may run: the first begin a little before it is recorded that they do."""


def strongest(reasons: Iterable[Reason | None]) -> Reason | None:
    """The reason that wins: failed before aborted before stopped; None when there is none."""
    given = {reason for reason in reasons if reason is not None}
    return next((reason for reason in reversed(Reason) if reason in given), None)


@dataclass(frozen=True, slots=True)
class Move:
    """One arrow of a state machine."""

    source: State
    target: State
    owner: Service
    when: str


def _moves(owner: Service, source: State, *targets: tuple[State, str]) -> tuple[Move, ...]:
    return tuple(Move(source, target, owner, when) for target, when in targets)


RUN_MOVES = (
    *_moves(
        Service.SCHEDULER,
        State.PENDING,
        (State.RUNNING, "its arguments are stored and its autostart DAG runs exist"),
        (State.STOPPED, "it was stopped before it began"),
        (State.ABORTED, "it was aborted before it began"),
        (State.FAILED, "it cannot begin: its version is gone or unreadable"),
    ),
    *_moves(
        Service.SCHEDULER,
        State.RUNNING,
        (State.STOPPING, "someone stopped it, or a DAG run of it aborted or failed"),
        (State.SUCCEEDED, "every DAG run that was asked for is final"),
    ),
    *_moves(
        Service.SCHEDULER,
        State.STOPPING,
        (State.STOPPED, "every DAG run is final and the reason is a stop"),
        (State.ABORTED, "every DAG run is final and a task aborted"),
        (State.FAILED, "every DAG run is final and a task failed"),
    ),
)

DAG_MOVES = (
    *_moves(
        Service.DAG_RUNNER,
        State.PENDING,
        (State.RUNNING, "its tasks exist"),
        (State.STOPPED, "it was stopped before it began"),
        (State.ABORTED, "its run aborted before it began"),
        (State.FAILED, "its run failed before it began"),
    ),
    *_moves(
        Service.DAG_RUNNER,
        State.RUNNING,
        (State.STOPPING, "someone stopped it or its run, or a task of it aborted or failed"),
        (State.SUCCEEDED, "every task is final"),
    ),
    *_moves(
        Service.DAG_RUNNER,
        State.STOPPING,
        (State.STOPPED, "no task runs any more and the reason is a stop"),
        (State.ABORTED, "no task runs any more and a task aborted"),
        (State.FAILED, "no task runs any more and a task failed"),
    ),
)


def _lost(sweeper: Service) -> tuple[Move, ...]:
    """What whoever sweeps makes of a task whose worker is gone."""
    return _moves(
        sweeper,
        State.RUNNING,
        (State.QUEUED, "the lease of its worker was lost, and another attempt is due"),
        (State.STOPPED, "the lease of its worker was lost while its DAG run was stopping"),
        (State.FAILED, "the leases of too many workers were lost that ran it"),
    )


TASK_MOVES = (
    *_moves(
        Service.DAG_RUNNER,
        State.WAITING,
        (State.QUEUED, "its predecessors are through and one of them selects it"),
        (State.SKIPPED, "its predecessors are through and none of them selects it"),
        (State.STOPPED, "its DAG run is stopping"),
    ),
    *_moves(Service.TASK_WORKER, State.QUEUED, (State.RUNNING, "a worker claimed the attempt")),
    *_moves(
        Service.DAG_RUNNER,
        State.QUEUED,
        (State.STOPPED, "its DAG run is stopping"),
        (State.FAILED, "no attempt of it can be made: its version is gone or unreadable"),
    ),
    *_moves(
        Service.TASK_WORKER,
        State.RUNNING,
        (State.SUCCEEDED, "the attempt returned"),
        (State.STOPPED, "the attempt raised StopTask, or was stopped without a result"),
        (State.ABORTED, "the attempt raised AbortWorkflow"),
        (State.FAILED, "the attempt failed or died and none is left"),
        (State.QUEUED, "the attempt failed, died or was handed back, and another one is due"),
    ),
    *_lost(Service.DAG_RUNNER),
    *_lost(Service.SCHEDULER),
)


class Machine:
    """A set of legal moves, by name."""

    def __init__(self, name: str, moves: tuple[Move, ...]) -> None:
        self.name = name
        self.moves = moves
        self._legal = frozenset((move.source, move.target) for move in moves)

    def check(self, source: State, target: State) -> State:
        """`target`, when the move is legal; raises IllegalMove naming both states otherwise."""
        if (source, target) not in self._legal:
            raise IllegalMove(self.name, source, target)
        return target

    def sources(self, target: State) -> tuple[State, ...]:
        """The states from which `target` is entered: what a filtered update expects."""
        return tuple(dict.fromkeys(move.source for move in self.moves if move.target is target))


RUN = Machine("run", RUN_MOVES)
DAG = Machine("DAG run", DAG_MOVES)
TASK = Machine("task", TASK_MOVES)
