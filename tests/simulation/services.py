"""The services as they are, put together on adapters in memory."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.simulation.faults import KILLS, Fault
from tests.simulation.line import Line
from tests.simulation.mongo.client import Database
from tests.simulation.process import Process
from tests.simulation.redis import Client
from tests.simulation.user_code import Slots

from lightflow.control.v1 import control_pb2 as pb
from lightflow.core.states import Service
from lightflow.runtime.batches import Turns
from lightflow.runtime.connections import Connections
from lightflow.runtime.consumer import ids_of
from lightflow.runtime.consumer_watch import ConsumerWatch
from lightflow.runtime.datastore.mongo import RunStore
from lightflow.runtime.failpoints import step_under_way
from lightflow.runtime.hints import SCHEMA, messages
from lightflow.runtime.looking import LookingService
from lightflow.runtime.membership import Member, Membership
from lightflow.runtime.notify import Notifier
from lightflow.runtime.payloads import Payloads
from lightflow.runtime.process import serve_until, when_reachable
from lightflow.runtime.queues import Queues
from lightflow.runtime.rpc.requests import pickle_value
from lightflow.runtime.specs import Specs
from lightflow.runtime.takeback import TakeBack
from lightflow_dag_runner.knowledge import Knowledge
from lightflow_dag_runner.loop import DagRunner
from lightflow_dag_runner.store import Store as DagStore
from lightflow_dag_runner.sweep import DagSweep
from lightflow_scheduler.collaborators import Collaborators
from lightflow_scheduler.loop import Scheduler
from lightflow_scheduler.servicer import ControlServicer
from lightflow_scheduler.store import Store as RunsStore
from lightflow_scheduler.sweep import RunSweep
from lightflow_task_worker.attempt import Tools
from lightflow_task_worker.calls import Calling
from lightflow_task_worker.facts import Facts
from lightflow_task_worker.inputs import Inputs
from lightflow_task_worker.knowledge import Knowledge as WorkerKnowledge
from lightflow_task_worker.lease import Lease
from lightflow_task_worker.loop import TaskWorker
from lightflow_task_worker.pool import Pool
from lightflow_task_worker.preparing import Preparing
from lightflow_task_worker.settings import Settings
from lightflow_task_worker.store import Store as TaskStore
from lightflow_task_worker.versions import Versions
from lightflow_task_worker.waiting import Waiting
from lightflow_task_worker.wiring import pass_on_stops

if TYPE_CHECKING:
    from tests.simulation.world import World

QUEUES = {Service.SCHEDULER: "workflow", Service.DAG_RUNNER: "dag", Service.TASK_WORKER: "task"}


class Hints:
    """Sends hints a little later, as a thread would; some get lost, some arrive twice."""

    def __init__(self, world: "World", process: Process) -> None:
        self._world = world
        self._process = process

    def send(self, service: Service, queue: str, ids: Iterable[str]) -> None:
        if not self._process.alive:
            return
        world = self._world
        fault = world.faults.strike(step_under_way(), KILLS)
        if fault is not Fault.KILL_BEFORE:
            self._process.begin(self._publish(service, queue, list(dict.fromkeys(ids))))
        if fault is not None:
            world.tell(f"{fault} {step_under_way()} of {self._process.name}")
            world.kill(self._process)
            raise asyncio.CancelledError

    async def _publish(self, service: Service, queue: str, ids: list[str]) -> None:
        world = self._world
        await world.breath()
        await self._process.awake.wait()
        for message in messages(service, ids):
            for _ in range(world.copies_of_a_hint()):
                world.redis.push(f"{service}:{queue}", {"v": SCHEMA, "ids": message})


class Consumer:
    """Takes a hint whenever its gate is open; after a trouble of redis it may hang until it is replaced."""

    def __init__(
        self, world: "World", process: Process, service: Service, receive: Callable[[list[str]], None]
    ) -> None:
        self._world = world
        self._process = process
        self._list = f"{service}:{QUEUES[service]}"
        self._receive = receive
        self._hangs = False
        self._loop = asyncio.get_running_loop()
        self.is_open = False
        self.taken = 0

    def start(self) -> None:
        self._hangs = False
        if self.poke not in self._world.redis.on_push:
            self._world.redis.on_push.append(self.poke)
        self.poke()

    replace = start

    def hang(self) -> None:
        self._hangs = True

    def open(self) -> None:
        self.is_open = True
        self.poke()

    def shut(self) -> None:
        self.is_open = False

    def stop(self) -> None:
        self.is_open = False

    def poke(self) -> None:
        redis, hints = self._world.redis, self._world.redis.lists[self._list]
        ready = self.is_open and not self._hangs and not redis.is_down
        if ready and hints and self._process.alive and self._process.awake.is_set():
            self.is_open = False
            self.taken += 1
            self._process.begin(self._take(hints.popleft()))

    async def _take(self, hint: Any) -> None:
        self._receive(ids_of(hint))


class Control:
    """The control service as a task worker reaches it: a call dies with the scheduler that serves it."""

    def __init__(self, world: "World") -> None:
        self._world = world

    async def start_dag(self, run: str, dag: str, *, request_id: str, data: bytes | None = None) -> str | None:
        value = None if data is None else pickle_value(data)
        request = pb.StartDagRequest(run_id=run, dag=dag, request_id=request_id, data=value)
        return (await self._world.ask("StartDag", request)).name or None

    async def join_dags(self, run: str, names: Sequence[str] | None, *, caller: str, request_id: str) -> None:
        request = pb.JoinDagsRequest(
            run_id=run, names=names or (), all=names is None, caller=caller, request_id=request_id
        )
        await self._world.ask("JoinDags", request)

    async def stop_dag(self, run: str, name: str) -> None:
        await self._world.ask("StopDag", pb.StopDagRequest(run_id=run, name=name))


def connections(world: "World", process: Process) -> Connections:
    """The adapters of one process."""
    db: Any = Database(world.server, Line(world, process))
    payloads = Payloads(db, world.signer)
    redis: Any = Client(world, process)
    hints: Any = Hints(world, process)
    turns = Turns()
    data = RunStore(db, payloads, turns)
    return Connections(db, payloads, Specs(db, payloads), data, Notifier(redis), Queues(redis), hints, turns)


async def scheduler(world: "World", process: Process) -> None:
    """A scheduler with its control service."""
    with_ = connections(world, process)
    store = RunsStore(with_.db, process.name, with_.turns)
    moves = Scheduler(store, with_.specs, with_.data, with_.payloads, with_.hints, with_.notifier)
    sweep = RunSweep(with_.hints, with_.queues, (QUEUES[Service.SCHEDULER],))
    service = _looking(world, process, with_, Service.SCHEDULER, moves.look, sweep)
    collaborators = Collaborators(
        with_.db,
        with_.notifier,
        with_.payloads,
        with_.data,
        with_.hints,
        service.look_at,
        service.is_alive,
        with_.turns,
        moves.know,
    )
    world.controls[process] = ControlServicer(collaborators)
    await _serve(process, with_, service)


async def dag_runner(world: "World", process: Process) -> None:
    """A dag-runner."""
    with_ = connections(world, process)
    store = DagStore(with_.db, process.name, with_.turns)
    moves = DagRunner(store, with_.specs, Knowledge(), with_.hints, with_.notifier)
    sweep = DagSweep(with_.hints, with_.queues, (QUEUES[Service.DAG_RUNNER],))
    await _serve(process, with_, _looking(world, process, with_, Service.DAG_RUNNER, moves.look, sweep))


def _looking(
    world: "World", process: Process, with_: Connections, kind: Service, look: Any, sweep: Any
) -> LookingService:
    def consumer(receive: Callable[[list[str]], None]) -> Any:
        return world.consuming(Consumer(world, process, kind, receive))

    member = Member(kind, process.name, (QUEUES[kind],), "redis://simulated")
    world.incarnations[process] = member
    return LookingService(with_, world.engine, member, look, sweep, consumer)


async def _serve(process: Process, with_: Connections, service: LookingService) -> None:
    await with_.notifier.start()
    async with service.member():
        await service.serve(process.told_to_stop)
    await with_.notifier.close()


async def task_worker(world: "World", process: Process) -> None:
    """A task worker; the user code in it is the plan's."""
    with_ = connections(world, process)
    await with_.notifier.start()
    settings = Settings(world.engine, process.name, (QUEUES[Service.TASK_WORKER],), (), ())
    member = Member(Service.TASK_WORKER, process.name, settings.queues, "redis://simulated", world.engine.slots)
    world.incarnations[process] = member
    membership = Membership(with_.db, member, world.engine.lease_interval)
    take_back = TakeBack(with_.db, with_.specs, with_.hints, world.engine.bounds)
    tools = _tools(world, process, with_, settings, member, lambda: lease.is_good, lambda: worker.changed())
    worker = TaskWorker(tools, tools.calling.waiting, settings.queues)
    lease = Lease(membership, tools, take_back)
    consumer: Any = world.consuming(Consumer(world, process, Service.TASK_WORKER, worker.hinted))
    worker.consumer = consumer
    watch = ConsumerWatch(consumer, Service.TASK_WORKER, settings.queues, with_.queues)
    await when_reachable("MongoDB", lambda: _succeed(world, with_, process, take_back))
    await when_reachable("MongoDB", membership.enter)
    consumer.start()
    await serve_until(
        process.told_to_stop,
        worker.feed(),
        lease.keep(),
        pass_on_stops(with_.notifier, lease, tools.knowledge),
        watch.keep(world.engine.sweep_interval),
        membership.until_told(with_.notifier),
        finish=lambda: worker.drain(world.engine.shutdown_grace),
    )
    await membership.leave()
    await with_.notifier.close()


async def _succeed(world: "World", with_: Connections, process: Process, take_back: TakeBack) -> None:
    """What a worker does that starts where one of its name died; in some worlds it starts on another host."""
    if world.restarts_on_same_host:
        others = {"name": process.name, "_id": {"$ne": world.incarnations[process].incarnation}}
        for other in [document async for document in with_.db["workers"].find(others)]:
            await take_back.from_dead(other["_id"])


def _tools(
    world: "World",
    process: Process,
    with_: Connections,
    settings: Settings,
    member: Member,
    holds: Callable[[], bool],
    on_change: Callable[[], None],
) -> Tools:
    slots: Any = Slots(world, process)
    control: Any = Control(world)
    pool = Pool(slots, world.engine.slots, on_change)
    waiting = Waiting(world.engine.slots, world.engine.join_cap)
    return Tools(
        with_.db,
        settings,
        TaskStore(with_.db, member, with_.turns),
        WorkerKnowledge(Facts(with_.db, with_.turns), lambda: with_.notifier.hears),
        Versions(with_.db, with_.payloads, Path("/nonexistent")),
        with_.payloads,
        Preparing(Inputs(with_.payloads), with_.payloads, settings.name),
        pool,
        with_.hints,
        with_.notifier,
        Calling(with_.data, control, pool, waiting, holds),
    )
