"""What tasks ask of their run: starting, joining and stopping DAG runs, and being told to stop."""

from collections.abc import AsyncIterator
from typing import Any

from lightflow.control.v1 import control_pb2 as pb
from lightflow.core import ids
from lightflow.core.errors import InvalidRequest
from lightflow.core.states import FINAL, Reason, Service, State
from lightflow.runtime.mongo import NOW, Document
from lightflow_scheduler import checks
from lightflow_scheduler.collaborators import Collaborators
from lightflow_scheduler.joining import Joining
from lightflow_scheduler.runs import Runs
from lightflow_scheduler.waiting import soon
from lightflow_scheduler.workflows import Workflows

_FINAL = [state.value for state in FINAL]
_ENDING = frozenset({State.STOPPING, *FINAL})
_FIRST_PAUSE, _LONGEST_PAUSE = 0.02, 1.0
_INLINE = 1024  # the data of every start lie in the one document of the run; what is larger is a blob


class Signals:
    """Starts, joins, stops and watches DAG runs."""

    def __init__(self, with_: Collaborators, runs: Runs, workflows: Workflows) -> None:
        self._with = with_
        self._runs = with_.db["runs"]
        self._dag_runs = with_.db["dag_runs"]
        self._joining = Joining(with_.db)
        self._find = runs.find
        self._workflows = workflows

    async def start_dag(self, request: pb.StartDagRequest) -> str:
        """The name of the DAG run that this request started, now or before; empty when the run is stopping."""
        request_id = checks.given("request_id", request.request_id)
        run = await self._find(request.run_id, {"version": 1, "state": 1, "starts": _start_of(request_id)})
        if run["starts"]:
            return str(run["starts"][0]["name"])
        (await self._workflows.spec(run["version"])).dag(request.dag)
        if run["state"] == State.PENDING:
            # No task of it runs yet, but anybody may ask.
            await self._existing(run["_id"], self._runs, {"_id": run["_id"], "state": {"$ne": State.PENDING}})
        data = await self._saved(run["_id"], request)
        running = {"_id": run["_id"], "state": State.RUNNING, "starts.request": {"$ne": request_id}}
        await self._runs.update_one(running, [{"$set": _appended(request_id, request.dag, data)}])
        run = await self._find(run["_id"], {"state": 1, "starts": _start_of(request_id)})
        if not run["starts"]:
            return ""
        self._with.look(run["_id"])
        return str(run["starts"][0]["name"])

    async def join_dags(self, request: pb.JoinDagsRequest) -> None:
        """Return when the named DAG runs are final. Raises JoinImpossible for one's own and for a circle."""
        run = await self._find(request.run_id, {"starts.name": 1})
        known = {start["name"] for start in run["starts"]}
        names = known - {request.caller} if request.all else known & set(request.names)
        if request.caller in request.names:
            names.add(request.caller)
        if not request.caller:
            await self._until_final(run["_id"], names)
            return
        checks.given("request_id", request.request_id)
        join = {"request": request.request_id, "caller": request.caller, "names": sorted(names)}
        async with self._joining.recorded(run["_id"], join):
            await self._until_final(run["_id"], names)

    async def stop_dag(self, request: pb.StopDagRequest) -> None:
        """Ask one DAG run to stop. One that was asked for and does not exist yet is waited for, a matter of moments."""
        run = await self._find(request.run_id, {"starts.name": 1})
        name = checks.given("name", request.name)
        if name not in {start["name"] for start in run["starts"]}:
            known = ", ".join(sorted(start["name"] for start in run["starts"])[:10])
            raise InvalidRequest("name", f"run {run['_id']} has no DAG run {name!r}; it has {known or 'none'}")
        dag_run = await self._existing(run["_id"], self._dag_runs, {"_id": ids.dag_run_id(run["_id"], name)})
        if dag_run is None:
            return
        open_ = {"_id": dag_run["_id"], "state": {"$nin": _FINAL}, "stop": None}
        change = {"$set": {"stop": Reason.STOPPED.value, "dirty": ids.new_id()}, "$currentDate": {"changed_at": True}}
        await self._dag_runs.update_one(open_, change)
        self._with.hints.send(Service.DAG_RUNNER, dag_run["queue"], [dag_run["_id"]])
        await self._with.notifier.publish("stop", run=run["_id"], dag=name)

    async def watch_stop(self, request: pb.WatchStopRequest) -> AsyncIterator[bool]:
        """Whether the DAG run, or the run, is stopping: now, and once more when it turns true."""
        run_id = (await self._find(request.run_id, {"_id": 1}))["_id"]
        async with self._with.notifier.subscribe("stop", "run", "dag") as looks:
            stopping = await self._is_stopping(run_id, request.dag)
            yield stopping
            while not stopping:
                await soon(looks, self._with.recheck, run=run_id)
                stopping = await self._is_stopping(run_id, request.dag)
                if stopping:
                    yield True

    async def _saved(self, run_id: str, request: pb.StartDagRequest) -> Document | None:
        if not request.HasField("data"):
            return None
        if request.data.encoding != pb.Value.ENCODING_PICKLE:
            raise InvalidRequest("data", "the data of a DAG travels as a pickle of its dataset")
        return await self._with.payloads.save(request.data.data, run_id, inline=_INLINE)

    async def _until_final(self, run_id: str, names: set[str]) -> None:
        waiting = set(names)
        async with self._with.notifier.subscribe("run", "dag") as looks:
            while waiting:
                wanted = {"run": run_id, "name": {"$in": sorted(waiting)}, "state": {"$in": _FINAL}}
                waiting -= {dag_run["name"] async for dag_run in self._dag_runs.find(wanted, {"name": 1})}
                if not waiting or await self._is_final(run_id):
                    return
                await soon(looks, self._with.recheck, run=run_id)

    async def _is_final(self, run_id: str) -> bool:
        run = await self._runs.find_one({"_id": run_id}, {"state": 1})
        return run is None or run["state"] in FINAL

    async def _is_stopping(self, run_id: str, dag: str) -> bool:
        run = await self._runs.find_one({"_id": run_id}, {"state": 1})
        if run is None or run["state"] in _ENDING:
            return True
        if not dag:
            return False
        dag_run = await self._dag_runs.find_one({"_id": ids.dag_run_id(run_id, dag)}, {"state": 1, "stop": 1})
        return dag_run is not None and (dag_run["state"] in _ENDING or dag_run.get("stop") is not None)

    async def _existing(self, run_id: str, collection: Any, query: Document) -> Document | None:
        """What a look at the run will bring about, once it exists; None when the run ended before."""
        pause = _FIRST_PAUSE
        async with self._with.notifier.subscribe("begun", "run") as looks:
            while (found := await collection.find_one(query, {"queue": 1})) is None:
                if await self._is_final(run_id):
                    break
                self._with.look(run_id)
                await soon(looks, pause, run=run_id)
                pause = min(2 * pause, _LONGEST_PAUSE)
        document: Document | None = found
        return document


def _start_of(request_id: str) -> Document:
    return {"$filter": {"input": "$starts", "cond": {"$eq": ["$$this.request", _text(request_id)]}}}


def _appended(request_id: str, dag: str, data: Document | None) -> Document:
    """A start of a DAG, numbered after those of the same blueprint that the run has at this moment."""
    same = {"$filter": {"input": "$starts", "cond": {"$eq": ["$$this.dag", _text(dag)]}}}
    number = {"$add": [{"$size": same}, 1]}
    facts: dict[str, Any] = {"request": request_id, "dag": dag, "created": False, "final": False, "data": data}
    name = {"$concat": [_text(f"{dag}:"), {"$toString": number}]}
    entry = {"$mergeObjects": [{"$literal": facts}, {"n": number, "name": name}]}
    return {"starts": {"$concatArrays": ["$starts", [entry]]}, "dirty": _text(ids.new_id()), "changed_at": NOW}


def _text(text: str) -> Document:
    """A text as it is, even where it looks like an expression."""
    return {"$literal": text}
