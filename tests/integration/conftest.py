"""The engine on a real MongoDB, in this process: the rules of all three services, without their processes."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from pymongo import AsyncMongoClient

from lightflow.core import ids
from lightflow.core.errors import WorkflowUnknown
from lightflow.core.graph import DagSpec, TaskSpec, WorkflowSpec
from lightflow.core.outcomes import Bounds, Ending, ErrorInfo, Outcome
from lightflow.core.states import FINAL, Service, State
from lightflow.runtime.batches import Turns
from lightflow.runtime.datastore.encoding import encode
from lightflow.runtime.datastore.mongo import RunStore
from lightflow.runtime.datastore.queries import indexes as data_indexes
from lightflow.runtime.membership import PYTHON, Member
from lightflow.runtime.mongo import SCHEMA, create_indexes
from lightflow.runtime.payloads import Payloads
from lightflow.runtime.payloads import indexes as payload_indexes
from lightflow.runtime.signing import Signer
from lightflow_dag_runner.knowledge import Knowledge
from lightflow_dag_runner.loop import DagRunner
from lightflow_dag_runner.store import Store as DagStore
from lightflow_scheduler.loop import Scheduler
from lightflow_scheduler.store import Store as RunsStore
from lightflow_task_worker.ending import end_of
from lightflow_task_worker.store import Store as TaskStore

VERSION = "v1"


class Crashed(Exception):  # noqa: N818  it is no error here
    """Stands for a kill -9."""


class Crashing:
    """Passes calls on until `steps` of them were made; the process is dead from then on."""

    def __init__(self, wrapped: Any, steps: "Steps") -> None:
        self._wrapped = wrapped
        self._steps = steps

    def __getattr__(self, name: str) -> Any:
        step = getattr(self._wrapped, name)
        if not callable(step):
            return step

        async def counted(*args: Any, **kwargs: Any) -> Any:
            self._steps.begin(name)
            return await step(*args, **kwargs)

        return counted


@dataclass
class Steps:
    """How many steps a process makes before it dies (None: it lives), and which it made."""

    left: int | None = None
    made: list[str] = field(default_factory=list)
    _begun: asyncio.Event = field(default_factory=asyncio.Event)

    def begin(self, name: str) -> None:
        if self.left is not None and len(self.made) >= self.left:
            raise Crashed(name)
        self.made.append(name)
        self._begun.set()

    async def until(self, count: int) -> None:
        """Wait until so many steps have begun."""
        while len(self.made) < count:
            self._begun.clear()
            await self._begun.wait()


@dataclass
class Sent:
    """Keeps the hints and notifications that would have gone to redis."""

    hints: list[tuple[Service, str, str]] = field(default_factory=list)
    looks: list[tuple[str, dict[str, str]]] = field(default_factory=list)

    def send(self, service: Service, queue: str, ids_: Any) -> None:
        self.hints += [(service, queue, id_) for id_ in ids_]

    async def publish(self, kind: str, **ids_: str) -> None:
        self.looks.append((kind, ids_))

    def to(self, service: Service) -> list[str]:
        return [id_ for to, _, id_ in self.hints if to is service]


class KnownSpecs:
    """Versions that exist in no database."""

    def __init__(self) -> None:
        self.specs: dict[str, WorkflowSpec] = {}

    async def get(self, version: str) -> WorkflowSpec:
        if version not in self.specs:
            raise WorkflowUnknown(version)
        return self.specs[version]


def succeeds(*, only: tuple[str, ...] | None = None) -> Outcome:
    """The outcome of a task that returns, selecting these successors."""
    return Outcome(Ending.SUCCEEDED, limit=only)


def fails(message: str = "broken") -> Outcome:
    """The outcome of a task that raises."""
    return Outcome(Ending.ERROR, ErrorInfo("ValueError", message, "Traceback ..."))


def start_of(dag: str, number: int = 1, **facts: Any) -> dict[str, Any]:
    """An entry of the list of DAG runs that a run was asked for."""
    name = f"{dag}:{number}"
    entry = {"request": f"request-{name}", "dag": dag, "n": number, "name": name, "created": False, "final": False}
    return {**entry, "data": None, **facts}


def dag_of(*names: str, edges: str = "", dag: str = "main", autostart: bool = True, **options: Any) -> DagSpec:
    """A DAG of these tasks with edges such as "a>b a>c"."""
    pairs = [edge.split(">") for edge in edges.split()]
    indexes = tuple((names.index(parent), names.index(child), None) for parent, child in pairs)
    return DagSpec(dag, autostart, tasks=tuple(TaskSpec(name, **options) for name in names), edges=indexes)


class Engine:
    """Looks, claims and commits, one after the other, as the test says."""

    Crashed = Crashed
    Steps = Steps
    start_of = staticmethod(start_of)
    dag_of = staticmethod(dag_of)
    succeeds = staticmethod(succeeds)
    fails = staticmethod(fails)

    def __init__(self, db: Any) -> None:
        self.db = db
        self.sent = Sent()
        self.specs = KnownSpecs()
        self.payloads = Payloads(db, Signer(b"k" * 32))
        self.data = RunStore(db, self.payloads)
        self.bounds = Bounds()
        self.outcomes: dict[str, list[Outcome]] = {}
        self.ran: list[str] = []
        self.hands_over = False  # whether workers queue the successors themselves where they can
        self.runner = self.dag_runner(Steps())
        self.scheduler = self.scheduler_with(Steps())
        self.worker = self.worker_called("worker")

    def worker_called(self, name: str) -> TaskStore:
        """A task worker with a store of its own."""
        member = Member(Service.TASK_WORKER, f"{name}@host", ("task",), "redis://", 1)
        return TaskStore(self.db, member, Turns())

    def dag_runner(self, steps: Steps) -> DagRunner:
        """A dag-runner without memory that lives for so many steps."""
        store: Any = Crashing(DagStore(self.db, "dag-runner@host", Turns()), steps)
        told: Any = self.sent
        specs: Any = self.specs
        return DagRunner(store, specs, Knowledge(), told, told)

    def scheduler_with(self, steps: Steps, turns: Turns | None = None) -> Scheduler:
        """A scheduler that lives for so many steps."""
        store: Any = Crashing(RunsStore(self.db, "scheduler@host", turns or Turns()), steps)
        data: Any = Crashing(self.data, steps)
        told: Any = self.sent
        specs: Any = self.specs
        return Scheduler(store, specs, data, self.payloads, told, told)

    async def begin(self, *dags: DagSpec, values: dict[str, Any] | None = None, **facts: Any) -> str:
        """A new run of a workflow with these DAGs, as the control service accepts it; its id."""
        run_id = ids.new_run_id()
        version = facts.get("version", VERSION)
        self.specs.specs.setdefault(version, WorkflowSpec("flow", "", (), dags))
        if dags:
            self.specs.specs[version] = WorkflowSpec("flow", "", (), dags)
        run = {
            "_id": run_id,
            "schema": SCHEMA,
            "workflow": "flow",
            "version": VERSION,
            "python": PYTHON,
            "queue": "workflow",
            "keep_data": False,
            "state": "pending",
            "reason": None,
            "error": None,
            "values": await self.payloads.save(encode(values or {}), run_id),
            "starts": [start_of(dag.name) for dag in self.specs.specs[version].dags if dag.autostart],
            "dirty": ids.new_id(),
            **facts,
        }
        await self.db["runs"].insert_one(run)
        return run_id

    async def begin_dag(self, dag: DagSpec, **facts: Any) -> str:
        """A new DAG run, as the scheduler creates it; its id."""
        run_id = ids.new_run_id()
        self.specs.specs[VERSION] = WorkflowSpec("flow", "", (), (dag,))
        document = {
            "_id": ids.dag_run_id(run_id, f"{dag.name}:1"),
            "schema": SCHEMA,
            "run": run_id,
            "run_queue": "workflow",
            "workflow": "flow",
            "dag": dag.name,
            "n": 1,
            "name": f"{dag.name}:1",
            "queue": "dag",
            "version": VERSION,
            "python": PYTHON,
            "state": "pending",
            "stop": None,
            "reason": None,
            "data": None,
            "dirty": ids.new_id(),
            **facts,
        }
        await self.db["dag_runs"].insert_one(document)
        return str(document["_id"])

    async def work(self) -> int:
        """Claim and end whatever may be claimed, as `outcomes` says, else successfully; how many attempts it were."""
        count = 0
        while (task := await self.worker.claim(["task"], ids.new_id())) is not None:
            count += 1
            self.ran.append(task["task"])
            planned = self.outcomes.get(task["task"])
            await self.end(task, planned.pop(0) if planned else succeeds())
        return count

    async def end(self, task: dict[str, Any], outcome: Outcome, stopping: bool = False) -> bool:
        """Commit an outcome, as a worker does."""
        dag = (await self.specs.get(task["version"])).dag(task["dag"].rpartition(":")[0])
        end = end_of(task, dag, outcome, self.bounds, stopping)
        end = end if self.hands_over else replace(end, follows=None)
        return (await self.worker.commit(task, dag, end, None)).accepted

    async def drive_dag(self, dag_run: str) -> State:
        """Look and work in turns until the DAG run is final; its state."""
        for _ in range(100):
            await self.runner.look(dag_run)
            worked = await self.work()
            state = State((await self.dag_run(dag_run))["state"])
            if state in FINAL:
                return state
            assert worked or await self.is_due(dag_run), f"the DAG run is stuck in {state}"
        raise AssertionError("the DAG run does not end")

    async def is_due(self, dag_run: str) -> bool:
        """Whether a sweep would find that DAG run."""
        marked = await self.db["task_runs"].find_one({"dag_run": dag_run, "marked": True})
        return marked is not None or "dirty" in await self.dag_run(dag_run)

    async def drive(self, run_id: str) -> State:
        """Look at a run and all that it has, and work, in turns until the run is final; its state."""
        for _ in range(100):
            await self.scheduler.look(run_id)
            for dag_run in await self.dag_runs(run_id):
                await self.runner.look(dag_run["_id"])
            await self.work()
            state = State((await self.run(run_id))["state"])
            if state in FINAL:
                await self.scheduler.look(run_id)
                return state
        raise AssertionError("the run does not end")

    async def run(self, run_id: str) -> Any:
        return await self.db["runs"].find_one({"_id": run_id})

    async def dag_run(self, dag_run: str) -> Any:
        return await self.db["dag_runs"].find_one({"_id": dag_run})

    async def dag_runs(self, run_id: str) -> list[Any]:
        return await self.db["dag_runs"].find({"run": run_id}).sort("_id", 1).to_list()

    async def states(self, dag_run: str) -> dict[str, str]:
        """The states of the tasks of a DAG run, by name."""
        return {task["task"]: task["state"] async for task in self.db["task_runs"].find({"dag_run": dag_run})}

    async def task(self, name: str) -> Any:
        """The one task of this name."""
        return await self.db["task_runs"].find_one({"task": name})

    async def everything(self) -> list[Any]:
        """All documents, to compare."""
        return [doc for name in ("runs", "dag_runs", "task_runs") for doc in await self.db[name].find().to_list()]


@pytest.fixture
async def db(mongo_uri: str, database_name: str) -> AsyncIterator[Any]:
    """An empty database with its indexes."""
    client: AsyncMongoClient[Any] = AsyncMongoClient(
        mongo_uri, w="majority", journal=True, retryWrites=False, tz_aware=True
    )
    database = client[database_name]
    await create_indexes(database, data_indexes(), payload_indexes())
    yield database
    await client.drop_database(database_name)
    await client.close()


@pytest.fixture
async def engine(db: Any) -> Engine:
    return Engine(db)
