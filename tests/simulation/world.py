"""One simulated system: its servers, its processes, what strikes them, and what an outside witness sees."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from random import Random
from typing import Any

from tests.simulation import services
from tests.simulation.clock import VirtualLoop
from tests.simulation.faults import Fault, Faults
from tests.simulation.mongo.client import Database
from tests.simulation.mongo.server import Server, Steps
from tests.simulation.plan import Plan
from tests.simulation.process import CURRENT, Process
from tests.simulation.redis import Redis
from tests.simulation.user_code import Execution

from lightflow.control.v1 import control_pb2 as pb
from lightflow.core import ids
from lightflow.core.errors import LightflowException
from lightflow.core.states import FINAL, Service
from lightflow.runtime.membership import PYTHON, Member
from lightflow.runtime.mongo import SCHEMA
from lightflow.runtime.payloads import Payloads
from lightflow.runtime.process import UNREACHABLE
from lightflow.runtime.rpc import requests
from lightflow.runtime.settings import EngineSettings
from lightflow.runtime.signing import Signer
from lightflow.runtime.specs import pack
from lightflow_scheduler.servicer import ControlServicer
from lightflow_task_worker.job import Job

RESTART = (0.2, 3.0)
LONGEST = 600.0
"""Seconds that any schedule may take once all that comes by the clock has come."""
SLOTS = (2, 2, 5)
STARTS = 3

MAINS = {
    Service.SCHEDULER: services.scheduler,
    Service.DAG_RUNNER: services.dag_runner,
    Service.TASK_WORKER: services.task_worker,
}


class _DirectLine:
    """The witness's own way to the server: nothing strikes it."""

    async def run(self, steps: Steps, *, write: bool) -> Any:
        for _ in steps:
            pass
        return None


class World:
    """Everything that a schedule consists of, from its seed."""

    def __init__(self, loop: VirtualLoop, plan: Plan, faults: Faults, random: Random) -> None:
        self.loop = loop
        self.plan = plan
        self.faults = faults
        self.random = random
        self.engine = EngineSettings(task_slots=random.choice(SLOTS))
        self.server = Server(loop.date, unique=[("runs", "key")])
        self.redis = Redis()
        self.signer = Signer(b"the simulation's key, 32 bytes..")
        self.mongo_is_down = False
        self.restarts_on_same_host = random.random() < 0.5
        self.processes: list[Process] = []
        self.incarnations: dict[Process, Member] = {}
        self.controls: dict[Process, ControlServicer] = {}
        self.executions: list[Execution] = []
        self.findings: list[str] = []
        self.trace: list[str] = []
        self.run_id = ""
        self.stopped_at: float | None = None
        self._consumers: list[services.Consumer] = []
        self._background: set[asyncio.Task[Any]] = set()
        self._is_over = False

    # What processes ask of it

    async def breath(self) -> None:
        """A way through the network or the scheduler of a host, of any length."""
        if self.random.random() < 0.7:
            await asyncio.sleep(self.random.random() * self.faults.latency)

    def copies_of_a_hint(self) -> int:
        if self.random.random() < self.faults.hint_loss:
            return 0
        return 2 if self.random.random() < self.faults.hint_doubling else 1

    def consuming(self, consumer: services.Consumer) -> services.Consumer:
        self._consumers.append(consumer)
        return consumer

    def witness(self, job: Job, process: Process) -> Execution:
        run = self.server.documents("runs")[job.run_id]  # which its starter may not know yet
        if ids.dag_run_of(job.task_run) not in self.server.documents("dag_runs"):
            self.findings.append(f"{job.task_run} began before its DAG run exists")
        execution = Execution(job.task_run, job.attempt, process, self.loop.time(), run["state"])
        self.executions.append(execution)
        return execution

    def later(self, work: Callable[[], Coroutine[Any, Any, Any]]) -> None:
        """Something that the server does after it seemed lost."""

        async def delayed() -> None:
            await asyncio.sleep(self.random.random() * 3.0)
            try:
                await work()
            except Exception as error:
                self.tell(f"what took effect late failed: {error!r}")

        token = CURRENT.set(None)
        task = self.loop.create_task(delayed())
        CURRENT.reset(token)
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    async def ask(self, method: str, request: Any) -> Any:
        """A call of the control service, served in one of the schedulers."""
        await self.breath()
        living = [process for process in self.controls if process.alive and process in self.incarnations]
        if not living:
            raise ConnectionError("no control service answers")
        process = self.random.choice(living)
        call = process.begin(getattr(self.controls[process], method)(request, None))
        try:
            await asyncio.wait([call])
        finally:
            call.cancel()
        if call.cancelled():
            raise ConnectionError("the control service died")
        await self.breath()
        if self.faults.strike(f"the reply to {method}", (Fault.LOST,)):
            raise ConnectionError("the reply was lost")
        return call.result()

    def tell(self, what: str) -> None:
        self.trace.append(f"{self.loop.time():9.3f} {what}")

    # Life and death

    def spawn(self, kind: Service, name: str) -> None:
        process = Process(kind, name)
        self.processes.append(process)
        process.begin(self._live(process))

    async def _live(self, process: Process) -> None:
        try:
            await MAINS[Service(process.kind)](self, process)
        except UNREACHABLE as error:
            self.tell(f"{process.name} ended: {error!r}")
        except Exception as error:
            logging.getLogger("simulation").exception("%s broke", process.name)
            self.findings.append(f"{process.name} broke: {error!r}")
        self.kill(process)

    def kill(self, process: Process) -> None:
        """SIGKILL, and a supervisor that starts it anew after a while."""
        if not process.alive:
            return
        self.tell(f"{process.name} is dead")
        process.kill()
        self.processes.remove(process)
        self.controls.pop(process, None)
        self._consumers = [consumer for consumer in self._consumers if consumer._process is not process]
        self.redis.on_push = [consumer.poke for consumer in self._consumers]
        if not self._is_over:
            self.loop.call_later(self.random.uniform(*RESTART), self.spawn, Service(process.kind), process.name)

    # Troubles that come by the clock

    async def trouble(self) -> None:
        """What strikes servers and whole processes in the first seconds."""
        troubles = [self._redis_trouble() for _ in range(self.faults.redis_troubles)]
        troubles += [self._outage() for _ in range(self.faults.outages)]
        troubles += [self._terminate() for _ in range(self.faults.terminations)]
        troubles += [self._pause() for _ in range(self.faults.pauses)]
        for trouble in troubles:
            self._at(self.random.uniform(0, 6), trouble)
        if troubles:
            await asyncio.sleep(7)

    def _at(self, seconds: float, work: Coroutine[Any, Any, None]) -> None:
        async def delayed() -> None:
            await asyncio.sleep(seconds)
            await work

        task = self.loop.create_task(delayed())
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    async def _redis_trouble(self) -> None:
        self.tell("redis goes down")
        self.redis.is_down = True
        self.redis.disconnect()
        if self.random.random() < 0.7:
            self.redis.forget()
        await asyncio.sleep(self.random.choice((0.0, 0.5, 5.0, 30.0)))
        self.redis.is_down = False
        for consumer in self._consumers:
            if self.random.random() < 0.3:
                consumer.hang()
        self.tell("redis is back")
        self.redis.poke()

    async def _outage(self) -> None:
        self.tell("MongoDB goes down")
        self.mongo_is_down = True
        await asyncio.sleep(self.random.choice((0.2, 5.0, 20.0)))
        self.mongo_is_down = False
        self.tell("MongoDB is back")

    async def _pause(self) -> None:
        if not self.processes:
            return
        process = self.random.choice(self.processes)
        self.tell(f"{process.name} is paused")
        process.pause()
        await asyncio.sleep(self.random.choice((1.0, 5.0, 60.0)))
        process.resume()
        self.tell(f"{process.name} goes on")
        self.redis.poke()

    async def _terminate(self) -> None:
        if self.processes:
            process = self.random.choice(self.processes)
            self.tell(f"{process.name} is told to stop")
            process.told_to_stop.set()

    # The one run

    async def deploy(self) -> None:
        """Put the plan's version where starts find it, as a worker's loader would have."""
        line: Any = _DirectLine()
        db: Any = Database(self.server, line)
        payloads = Payloads(db, self.signer)
        scope = "version:v"
        shards = [
            {"dag": dag.name, "first": 0, "last": len(dag.tasks), "payload": await payloads.save(b"code", scope)}
            for dag in self.plan.spec.dags
        ]
        spec = await payloads.save(pack(self.plan.spec), scope)
        version = {"_id": "v", "schema": SCHEMA, "name": "w", "python": PYTHON, "parameters": [], "spec": spec}
        await db["workflows"].insert_one({**version, "shards": shards, "archive": None})
        await db["deployments"].insert_one({"_id": "w", "schema": SCHEMA, "version": "v"})

    async def start(self, keep_data: bool) -> None:
        arguments = requests.arguments({"size": "3", "place.x": "north"}, {})
        request = pb.StartRunRequest(name="w", key="the key", keep_data=keep_data, arguments=arguments)
        # As when the same start is repeated, by one who has not waited long enough for the answer.
        answers = await asyncio.gather(*(self.persistently("StartRun", request) for _ in range(STARTS)))
        started = {answer.run.run_id for answer in answers}
        if len(started) > 1:
            self.findings.append(f"one key began several runs: {sorted(started)}")
        self.run_id = answers[0].run.run_id

    async def stop(self) -> None:
        await self.persistently("StopRun", pb.StopRunRequest(run_id=self.run_id))
        self.stopped_at = self.loop.time()
        self.tell("a stop is acknowledged")

    async def persistently(self, method: str, request: Any) -> Any:
        """A client that repeats its call until it is answered."""
        while True:
            try:
                return await self.ask(method, request)
            except UNREACHABLE as error:
                self.tell(f"{method}: {error!r}")
                await asyncio.sleep(0.3)
            except LightflowException as error:
                self.findings.append(f"{method} was refused: {error!r}")
                raise

    async def prune(self) -> None:
        """Remove all that the run left."""
        await self.persistently("Prune", pb.PruneRequest(older_than=requests.duration(0.0)))

    @property
    def run(self) -> dict[str, Any]:
        return self.server.documents("runs")[self.run_id]

    @property
    def is_through(self) -> bool:
        """Whether the run is final and nothing of it is left to do."""
        marks = [
            document["_id"]
            for name in ("runs", "dag_runs", "task_runs")
            for document in self.server.documents(name).values()
            if "dirty" in document or document.get("marked") or document.get("cleanup")
        ]
        return self.run["state"] in FINAL and not marks

    async def until_through(self) -> bool:
        """Wait for the end; False when it does not come."""
        ends = self.loop.time() + LONGEST
        while not self.is_through:
            if self.loop.time() > ends:
                return False
            await asyncio.sleep(0.2)
        return True

    async def end(self) -> None:
        """Kill everything, and let it come to rest."""
        self._is_over = True
        for process in list(self.processes):
            self.kill(process)
        while others := asyncio.all_tasks() - {asyncio.current_task()}:
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)
