"""Runs as a person handles them: starting, stopping, finding."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from pymongo import DESCENDING, ReturnDocument
from pymongo.errors import BulkWriteError, DuplicateKeyError

from lightflow.control.v1 import control_pb2 as pb
from lightflow.core import ids
from lightflow.core.errors import LightflowException, RunAmbiguous, RunUnknown
from lightflow.core.graph import OptionSpec, WorkflowSpec
from lightflow.core.states import FINAL, Reason, Service, State
from lightflow.queue.const import DefaultJobQueueName
from lightflow.runtime.batches import Batches
from lightflow.runtime.datastore.tree import from_tree
from lightflow.runtime.mongo import NOW, SCHEMA, Document, as_inserted, check_duplicates, insertion
from lightflow_scheduler import arguments, checks, messages, paging
from lightflow_scheduler.collaborators import Collaborators
from lightflow_scheduler.served import run_waits_for, served
from lightflow_scheduler.workflows import Workflows

HIDDEN = {"values": 0, "starts": 0, "joins": 0}


class Runs:
    """Starts, stops and finds runs."""

    def __init__(self, with_: Collaborators, workflows: Workflows) -> None:
        self._with = with_
        self._runs = with_.db["runs"]
        self._workflows = workflows
        self._insertions = Batches(self._insert_several, with_.turns)
        self._questions = Batches(self._found, with_.turns)
        self._accepted = Batches(self._accepted_with, with_.turns)

    async def find(self, given: str, fields: Mapping[str, Any] = HIDDEN) -> Document:
        """The run of this id, or of this beginning of one. Raises RunUnknown, RunAmbiguous."""
        text = checks.run_id(given)
        if len(text) == checks.RUN_ID_DIGITS:
            asked = self._questions.one(text) if fields is HIDDEN else self._runs.find_one({"_id": text}, fields)
            found = [run] if (run := await asked) else []
        else:
            between = {"_id": {"$gte": text, "$lt": text + "g"}}
            found = await self._runs.find(between, fields).sort("_id", 1).limit(6).to_list()
        if not found:
            raise RunUnknown(given)
        if len(found) > 1:
            raise RunAmbiguous(given, tuple(run["_id"] for run in found))
        return found[0]

    async def ended(self, run_ids: Sequence[str]) -> list[Document]:
        """Those of these runs that are final."""
        final = {"_id": {"$in": run_ids}, "state": {"$in": [state.value for state in FINAL]}}
        return await self._runs.find(final, HIDDEN).to_list()

    async def start(self, request: pb.StartRunRequest) -> pb.StartRunResponse:
        """Accept a run, or refuse it without a trace; the same key is accepted once."""
        try:
            return await self._start(request)
        except LightflowException:
            # One that is repeated because its reply was lost gives the run that it began, whatever has changed since.
            if not request.key or (run := await self._accepted.one(request.key)) is None:
                raise
            return pb.StartRunResponse(run=messages.run(run))

    async def _start(self, request: pb.StartRunRequest) -> pb.StartRunResponse:
        queue = checks.name("queue", request.queue or DefaultJobQueueName.Workflow)
        given = arguments.given(request.arguments)
        version = await self._workflows.resolve(request)
        options = [OptionSpec.from_json(option) for option in version["parameters"]]
        trees = arguments.stored(options, given)
        spec = await self._workflows.spec(version["_id"])
        run_id = ids.new_run_id()
        values = await self._with.payloads.save(from_tree(trees), run_id)
        facts = {"queue": queue, "keep_data": request.keep_data} | ({"key": request.key} if request.key else {})
        shown = {"arguments": arguments.shown(trees), "values": values}
        accepted = await self._accept(_new_run(run_id, version, spec) | facts | shown)
        unnamed = given.keys() - {option.name for option in options}
        return pb.StartRunResponse(run=messages.run(accepted), unnamed=sorted(unnamed))

    async def stop(self, request: pb.StopRunRequest) -> Document:
        """Make a run stop; `now` sets the time from which its attempts are killed. A final run stays as it is."""
        run_id = (await self.find(request.run_id))["_id"]
        grace = request.grace.ToTimedelta().total_seconds() if request.HasField("grace") else self._with.stop_grace
        states = [State.PENDING, State.RUNNING] + ([State.STOPPING] if request.now else [])
        update = _stop(ids.new_id(), max(grace, 0.0) if request.now else None)
        await self._runs.update_one({"_id": run_id, "state": {"$in": states}}, [{"$set": update}])
        await self._with.notifier.publish("stop", run=run_id)
        await self._with.notifier.publish("run", run=run_id)
        self._with.look(run_id)
        return await self.find(run_id)

    async def page(self, request: pb.ListRunsRequest) -> pb.ListRunsResponse:
        """A page of runs, newest first."""
        size = paging.size_of(request.page_size)
        found = await self._runs.find(_wanted(request), HIDDEN).sort(NEWEST_FIRST).limit(size + 1).to_list()
        shown = found[:size]
        token = ""
        if len(found) > size:
            token = paging.token_of([messages.millis(shown[-1]["created_at"]), shown[-1]["_id"]])
        now = await served(self._with) if any(run["state"] not in FINAL for run in shown) else frozenset()
        runs = [messages.run(run, waits_for=run_waits_for(run, now)) for run in shown]
        return pb.ListRunsResponse(runs=runs, next_page_token=token)

    async def _accept(self, run: Document) -> Document:
        accepted = await self._insertions.one(run)
        if accepted is None:  # the same key was accepted a moment ago
            await self._with.payloads.remove(run["_id"])
            accepted = await self._accepted.one(run["key"])
        assert accepted is not None
        self._begin(run | accepted if accepted["_id"] == run["_id"] else accepted)
        await asyncio.sleep(0)  # the look begins before the answer is made
        return accepted

    async def _insert_several(self, runs: Sequence[Document]) -> list[Document | None]:
        """These runs as they are on record; None for one whose key is that of another."""
        if len(runs) == 1:
            return [await self._insert_one(runs[0])]
        try:
            await self._runs.bulk_write([insertion(run) for run in runs], ordered=False)
        except BulkWriteError as error:
            check_duplicates(error)
        return await self._found([run["_id"] for run in runs])

    async def _insert_one(self, run: Document) -> Document | None:
        """In one command, because somebody waits for this start alone."""
        this, after = {"_id": run["_id"]}, ReturnDocument.AFTER
        try:
            return await self._runs.find_one_and_update(
                this, as_inserted(run), projection=HIDDEN, upsert=True, return_document=after
            )
        except DuplicateKeyError:
            return None

    async def _accepted_with(self, keys: Sequence[str]) -> list[Document | None]:
        found = {run["key"]: run async for run in self._runs.find({"key": {"$in": list(keys)}}, HIDDEN)}
        return [found.get(key) for key in keys]

    async def _found(self, run_ids: Sequence[str]) -> list[Document | None]:
        these = self._runs.find({"_id": {"$in": list(run_ids)}}, HIDDEN)
        found = {run["_id"]: run async for run in these}
        return [found.get(run_id) for run_id in run_ids]

    def _begin(self, run: Document) -> None:
        """Have the first look made, by a scheduler that serves the run's queue: here, or by a hint to it."""
        if run["queue"] in self._with.queues:
            if "starts" in run:  # not the run of an earlier start, of which only what is shown was read
                self._with.know(run)
            self._with.look(run["_id"])
        else:
            self._with.hints.send(Service.SCHEDULER, run["queue"], [run["_id"]])


NEWEST_FIRST = [("created_at", DESCENDING), ("_id", DESCENDING)]


def _new_run(run_id: str, version: Document, spec: WorkflowSpec) -> Document:
    return {
        "_id": run_id,
        "schema": SCHEMA,
        "workflow": version["name"],
        "version": version["_id"],
        "python": version["python"],
        "state": State.PENDING.value,
        "reason": None,
        "error": None,
        "starts": [_autostart(dag.name) for dag in spec.dags if dag.autostart],
        "dirty": ids.new_id(),
    }


def _autostart(dag: str) -> Document:
    name = ids.dag_run_name(dag, 1)
    return {"request": "autostart", "dag": dag, "n": 1, "name": name, "created": False, "final": False, "data": None}


def _stop(operation: str, grace: float | None) -> Document:
    """What a stop changes in a run that is pending, running or stopping; all of it in terms of the state before."""
    pending, stopping = {"$eq": ["$state", State.PENDING]}, {"$eq": ["$state", State.STOPPING]}
    update: Document = {
        "state": {"$cond": [pending, State.STOPPED.value, State.STOPPING.value]},
        "reason": {"$cond": [stopping, "$reason", Reason.STOPPED.value]},
        "finished_at": {"$cond": [pending, NOW, "$$REMOVE"]},
        "cleanup": {"$cond": [pending, {"$not": ["$keep_data"]}, "$$REMOVE"]},
        "dirty": operation,
        "changed_at": NOW,
    }
    if grace is not None:
        update["kill_at"] = {"$min": ["$kill_at", {"$add": [NOW, round(grace * 1000)]}]}
    return update


def _wanted(request: pb.ListRunsRequest) -> Document:
    wanted: Document = {}
    if states := checks.states(request.states):
        wanted["state"] = {"$in": states}
    if request.workflow:
        wanted["workflow"] = request.workflow
    if request.HasField("since"):
        wanted["created_at"] = {"$gte": messages.moment(request.since)}
    if place := paging.place_of(request.page_token, int, str):
        at = messages.from_millis(int(place[0]))
        wanted["$or"] = [{"created_at": {"$lt": at}}, {"created_at": at, "_id": {"$lt": place[1]}}]
    return wanted
