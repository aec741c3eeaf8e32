"""The control service on a real MongoDB and a real redis, and a client for it; the tests play all other services."""

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from pymongo import AsyncMongoClient
from redis.asyncio import Redis

from lightflow.core import ids
from lightflow.core.graph import DagSpec, OptionSpec, TaskSpec, WorkflowSpec
from lightflow.runtime import logs as logs_module
from lightflow.runtime import payloads as payloads_module
from lightflow.runtime.datastore import queries
from lightflow.runtime.datastore.encoding import encode
from lightflow.runtime.datastore.mongo import RunStore
from lightflow.runtime.mongo import create_indexes
from lightflow.runtime.notify import Notifier
from lightflow.runtime.payloads import Payloads
from lightflow.runtime.rpc.client import ControlClient
from lightflow.runtime.rpc.server import start_server
from lightflow.runtime.signing import Signer
from lightflow.runtime.specs import pack
from lightflow_scheduler import servicer
from lightflow_scheduler.collaborators import Collaborators

SPEC = WorkflowSpec(
    "simple",
    "A workflow.\n\nOf two DAGs.",
    (
        OptionSpec("number", "int", help="how many"),
        OptionSpec("word", "str", required=False, default=encode("hello"), default_text="'hello'"),
    ),
    (
        DagSpec("main", tasks=(TaskSpec("first"), TaskSpec("second", queue="gpu")), edges=((0, 1, "slot"),)),
        DagSpec("sub", autostart=False, tasks=(TaskSpec("only"),)),
    ),
)


@dataclass
class Hinted:
    """Keeps what was hinted at."""

    sent: list[tuple[str, str, str]] = field(default_factory=list)

    def send(self, service, queue, ids_):
        self.sent += [(service, queue, id_) for id_ in ids_]


@dataclass
class System:
    """The service under test and everything around it."""

    db: Any
    notifier: Notifier
    payloads: Payloads
    store: RunStore
    client: ControlClient
    target: str
    hints: Hinted = field(default_factory=Hinted)
    looks: list[str] = field(default_factory=list)
    dead: set[str] = field(default_factory=set)

    async def call(self, method, *args, **kwargs):
        """Call the (blocking) client in a thread; an iterator is read to its end."""

        def told():
            result = getattr(self.client, method)(*args, **kwargs)
            return list(result) if hasattr(result, "__next__") else result

        return await asyncio.to_thread(told)

    async def until(self, condition):
        """Wait until the (async) condition holds, at most 5 seconds."""
        async with asyncio.timeout(5):
            while not await condition():
                pass

    async def run(self, run_id):
        """The document of a run."""
        return await self.db["runs"].find_one({"_id": run_id})

    async def deploy(self, spec=SPEC, version="v1"):
        """Put a version into MongoDB and deploy it."""
        document = {
            "_id": version,
            "schema": 1,
            "name": spec.name,
            "docstring": spec.docstring,
            "python": "3.11",
            "parameters": [option.to_json() for option in spec.parameters],
            "spec": await self.payloads.save(pack(spec), f"version:{version}"),
        }
        await self.db["workflows"].insert_one(document)
        await self.db["deployments"].insert_one({"_id": spec.name, "schema": 1, "version": version})

    async def start(self, **kwargs):
        """The id of a new run of the deployed workflow."""
        return (await self.call("start_run", "simple", text={"number": "3"}, **kwargs)).run.run_id

    async def began(self, **kwargs):
        """The id of a run that the scheduler and the dag-runner have begun."""
        run_id = await self.start(**kwargs)
        await self.set_run(run_id, state="running", **{"starts.0.created": True})
        await self.add_dag_run(run_id, "main:1")
        return run_id

    async def set_run(self, run_id, **facts):
        """Change a run as the scheduler does."""
        change = {"$set": facts, "$currentDate": {"changed_at": True}}
        if facts.get("state") == "running" and "started_at" not in facts:
            change["$currentDate"]["started_at"] = True
        if facts.get("state") in ("succeeded", "stopped", "aborted", "failed"):
            change["$currentDate"]["finished_at"] = True
        await self.db["runs"].update_one({"_id": run_id}, change)
        await self.notifier.publish("run", run=run_id)

    async def add_dag_run(self, run_id, name, state="running"):
        """Create a DAG run with a task for each of its spec."""
        dag_run = ids.dag_run_id(run_id, name)
        dag, _, number = name.rpartition(":")
        facts = {
            "run": run_id,
            "dag": dag,
            "n": int(number),
            "name": name,
            "queue": "dag",
            "state": state,
            "stop": None,
        }
        await self.db["dag_runs"].update_one(
            {"_id": dag_run}, [{"$set": {**facts, "created_at": "$$NOW"}}], upsert=True
        )
        await self.set_dag_run(run_id, name, state=state)
        for index, task in enumerate(SPEC.dag(dag).tasks):
            facts = {"run": run_id, "dag_run": dag_run, "dag": name, "task": task.name, "index": index}
            facts |= {"queue": task.queue, "python": "3.11", "state": "waiting", "attempts": [], "changed_at": "$$NOW"}
            await self.db["task_runs"].update_one(
                {"_id": ids.task_run_id(dag_run, index)}, [{"$set": facts}], upsert=True
            )

    async def set_dag_run(self, run_id, name, **facts):
        """Change a DAG run as the dag-runner does."""
        stamps = {"changed_at": True}
        if facts.get("state") == "running":
            stamps["started_at"] = True
        if facts.get("state") in ("succeeded", "stopped"):
            stamps["finished_at"] = True
        query = {"_id": ids.dag_run_id(run_id, name)}
        await self.db["dag_runs"].update_one(query, {"$set": facts, "$currentDate": stamps})
        await self.notifier.publish("run", run=run_id)

    async def set_task(self, run_id, dag, index, **facts):
        """Change a task as a task worker does; `attempt` and `ended` say that one began and that it ended."""
        query = {"_id": ids.task_run_id(ids.dag_run_id(run_id, dag), index)}
        update = {name: {"$literal": value} for name, value in facts.items()} | {"changed_at": "$$NOW"}
        if facts.get("state") == "running":
            attempt = {"worker": "worker@host", "pid": 7, "started_at": "$$NOW"}
            update |= {"started_at": "$$NOW", "attempts": {"$concatArrays": ["$attempts", [attempt]]}}
        if facts.get("state") in ("succeeded", "failed"):
            update["finished_at"] = "$$NOW"
        await self.db["task_runs"].update_one(query, [{"$set": update}])
        await self.notifier.publish("run", run=run_id)

    async def add_worker(self, id_, service="task-worker", queues=("task",), **facts):
        """A process in the list of workers."""
        worker = {"_id": id_, "service": service, "name": f"{service}@host", "host": "host", "pid": 1, "queues": queues}
        worker |= {"slots": 1, "running": 0, "python": "3.11", "draining": False, "broker": "redis://", **facts}
        await self.db["workers"].insert_one(worker)


@pytest.fixture
async def system(mongo_uri, redis_url, database_name) -> AsyncIterator[System]:
    mongo = AsyncMongoClient(mongo_uri, w="majority", journal=True, retryWrites=False, tz_aware=True)
    db = mongo[database_name]
    await create_indexes(db, servicer.indexes(), queries.indexes(), payloads_module.indexes(), logs_module.indexes())
    notifier = Notifier(Redis.from_url(redis_url, decode_responses=True))
    await notifier.start()
    payloads = Payloads(db, Signer(b"k" * 32))
    folder = Path(tempfile.mkdtemp(prefix="lf-", dir="/tmp"))
    target = f"unix:{folder}/control.sock"
    with ControlClient(target) as client:
        system = System(db, notifier, payloads, RunStore(db, payloads), client, target)
        collaborators = Collaborators(
            db,
            notifier,
            payloads,
            system.store,
            system.hints,
            system.looks.append,
            lambda worker: worker["_id"] not in system.dead,
            load_timeout=5.0,
        )
        server = await start_server(servicer.ControlServicer(collaborators), [target], translate=servicer.translate)
        yield system
        await server.stop(0)
    await notifier.close()
    await mongo.drop_database(database_name)
    await mongo.close()
    shutil.rmtree(folder)
