"""Bugs on purpose: each breaks one rule of the engine. An instrument that does not find them proves nothing."""

import contextlib
import copy
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any
from unittest import mock

from lightflow.core.ids import new_id
from lightflow.core.leases import LeaseWatch, _Seen
from lightflow.runtime import attempts, moves
from lightflow.runtime.datastore.mongo import RunStore
from lightflow.runtime.rpc.async_client import AsyncControlClient
from lightflow.runtime.sweep import Sweep
from lightflow_dag_runner.store import Store as DagStore
from lightflow_scheduler.store import Store as RunsStore
from lightflow_task_worker import calls, facts
from lightflow_task_worker.calls import TaskCalls
from lightflow_task_worker.facts import StopFacts
from lightflow_task_worker.store import Store as TaskStore

Patches = list[Any]


def _claim_what_others_hold() -> Patches:
    """A claim without the filter on the state."""
    claim = TaskStore.claim

    async def careless(self: TaskStore, *given: Any, **more: Any) -> Any:
        collection = self._task_runs

        class Unfiltered:
            async def find_one_and_update(self, query: Any, update: Any, **options: Any) -> Any:
                states = {"state": {"$in": ["queued", "running"]}}
                return await collection.find_one_and_update({**query, **states}, update, **options)

        other = copy.copy(self)
        other.__dict__["_task_runs"] = Unfiltered()
        return await claim(other, *given, **more)

    return [mock.patch.object(TaskStore, "claim", careless)]


def _commit_without_fence() -> Patches:
    """An outcome that is committed whoever holds the task."""
    return [mock.patch.object(attempts, "fence", lambda task: {"_id": task["_id"]})]


def _queue_nothing_after_clearing_marks() -> Patches:
    """Marks are cleared before what follows from them is done."""
    follow = moves.follow
    return [mock.patch.object(moves, "follow", lambda *given: follow(*given)[::-1])]


def _no_sweep() -> Patches:
    """Nothing that was lost is found again."""

    async def once(_: Sweep) -> None:
        return None

    return [mock.patch.object(Sweep, "once", once)]


def _advance_before_children_exist() -> Patches:
    """A DAG run runs before its tasks exist, and they are made by its next look, if it ever comes."""
    create, become = DagStore.create_tasks, DagStore.become

    async def later(self: DagStore, dag_run: Any, *given: Any) -> None:
        self.__dict__.setdefault("postponed", {})[dag_run.id] = given

    async def first(self: DagStore, dag_run: Any, *move: Any) -> bool:
        moved = await become(self, dag_run, *move)
        if given := self.__dict__.get("postponed", {}).pop(dag_run.id, None):
            await create(self, dag_run, *given)
        return moved

    return [mock.patch.object(DagStore, "create_tasks", later), mock.patch.object(DagStore, "become", first)]


def _begin_before_children_exist() -> Patches:
    """A DAG run is created as running before its tasks are."""
    create_tasks, create_dag_runs = RunsStore.create_tasks, RunsStore.create_dag_runs

    async def later(self: RunsStore, run: Any, *given: Any) -> None:
        self.__dict__.setdefault("postponed", {})[run.id] = given

    async def first(self: RunsStore, run: Any, *given: Any) -> None:
        await create_dag_runs(self, run, *given)
        if tasks := self.__dict__.get("postponed", {}).pop(run.id, None):
            await create_tasks(self, run, *tasks)

    patch = mock.patch.object
    return [patch(RunsStore, "create_tasks", later), patch(RunsStore, "create_dag_runs", first)]


def _start_dags_twice() -> Patches:
    """A request for a DAG that is repeated starts another one."""
    start_dag, call = calls._CALLS["start_dag"], AsyncControlClient._call

    async def careless(self: TaskCalls, header: Any, payload: bytes) -> Any:
        return await start_dag(self, {**header, "call": new_id()}, payload)

    async def forgetful(self: AsyncControlClient, method: str, request: Callable[[], Any], *given: Any) -> Any:
        def renewed() -> Any:
            asked = request()
            if method == "StartDag":
                asked.request_id = new_id()
            return asked

        return await call(self, method, renewed, *given)

    return [
        mock.patch.dict(calls._CALLS, start_dag=careless),
        mock.patch.object(AsyncControlClient, "_call", forgetful),
    ]


def _push_twice() -> Patches:
    """A write to the store that is repeated is done again."""
    return [mock.patch.object(TaskCalls, "_operation", side_effect=lambda *_: new_id())]


def _end_without_mark() -> Patches:
    """An outcome is committed without the mark that has somebody see to what follows."""
    commit = attempts.commit

    def unmarked(*given: Any) -> list[Any]:
        return [{"$set": {name: value for name, value in commit(*given)[0]["$set"].items() if name != "marked"}}]

    return [mock.patch.object(attempts, "commit", unmarked)]


def _ignore_stops() -> Patches:
    """User code begins after a stop was acknowledged."""
    return [mock.patch("lightflow_task_worker.facts._stop_facts", return_value=StopFacts())]


def _begin_too_early() -> Patches:
    """User code begins before it is recorded that its run does."""
    stop_facts = facts._stop_facts

    def hasty(*given: Any) -> StopFacts:
        return replace(stop_facts(*given), too_early=False)

    return [mock.patch.object(facts, "_stop_facts", hasty)]


def _lose_every_lease() -> Patches:
    """Every worker is taken for dead at the second look."""

    def observe(self: LeaseWatch, beats: Any, now: float) -> frozenset[str]:
        known = set(self._seen)
        self._seen = {worker: _Seen(beat, now) for worker, beat in beats.items()}
        return frozenset(known & set(beats))

    return [mock.patch.object(LeaseWatch, "observe", observe)]


def _forget_blind_claims() -> Patches:
    """A claim whose reply was lost is never asked for."""

    async def claimed_by(*_: Any) -> list[Any]:
        return []

    async def held(*_: Any) -> list[Any]:
        return []

    return [mock.patch.object(TaskStore, "claimed_by", claimed_by), mock.patch.object(TaskStore, "held", held)]


def _keep_data() -> Patches:
    """What a run leaves is never removed."""

    async def remove_data(*_: Any) -> None:
        return None

    return [mock.patch.object(RunStore, "remove_data", remove_data)]


BUGS: dict[str, Callable[[], Patches]] = {
    bug.__name__.removeprefix("_"): bug
    for bug in (
        _claim_what_others_hold,
        _commit_without_fence,
        _queue_nothing_after_clearing_marks,
        _no_sweep,
        _advance_before_children_exist,
        _begin_before_children_exist,
        _start_dags_twice,
        _push_twice,
        _end_without_mark,
        _ignore_stops,
        _begin_too_early,
        _lose_every_lease,
        _forget_blind_claims,
        _keep_data,
    )
}


@contextlib.contextmanager
def planted(name: str) -> Iterator[None]:
    """With this bug."""
    with contextlib.ExitStack() as stack:
        for patch in BUGS[name]():
            stack.enter_context(patch)
        yield
