"""Tasks of runs as they are shown: lists, why one waits, and results."""

import re
from collections.abc import Iterable
from typing import Final

from lightflow.control.v1 import control_pb2 as pb
from lightflow.core import ids
from lightflow.core.errors import ResultMissing, TaskAmbiguous, TaskUnknown
from lightflow.core.states import FINAL, State
from lightflow.runtime.mongo import NOW, Document
from lightflow_scheduler import checks, messages, paging
from lightflow_scheduler.collaborators import Collaborators
from lightflow_scheduler.runs import Runs
from lightflow_scheduler.served import dag_run_waits_for, run_waits_for, served, task_waits_for

_SHOWN = "run dag task index queue python state error started_at finished_at changed_at"
FIELDS: Final[Document] = {
    **dict.fromkeys(_SHOWN.split(), 1),
    "count": {"$size": {"$ifNull": ["$attempts", []]}},
    "worker": {"$last": "$attempts.worker"},
    "delayed": {"$gt": ["$ready_at", NOW]},
}
"""What is read of a task to show it: never its output, nor its attempts where nobody asked for them."""

HISTORY: Final = {**FIELDS, "attempts": 1}
_RUNS_AT_ONCE: Final = 100


class Tasks:
    """Shows tasks."""

    def __init__(self, with_: Collaborators, runs: Runs) -> None:
        self._with = with_
        self._db = with_.db
        self._runs = runs

    async def run(self, given: str, history: bool = False) -> pb.Run:
        """A run with its DAG runs and tasks, in the order of their start and of the file."""
        run = await self._runs.find(given)
        dags = await self._db["dag_runs"].find({"run": run["_id"]}, {"data": 0}).to_list()
        now = await served(self._with) if run["state"] not in FINAL else frozenset()
        tasks: dict[str, list[tuple[int, pb.Task]]] = {dag["name"]: [] for dag in dags}
        # Shown as they come: the documents of a large run would take many times the room of what is shown.
        async for task in self._db["task_runs"].find({"run": run["_id"]}, HISTORY if history else FIELDS):
            tasks.setdefault(task["dag"], []).append((task["index"], messages.task(task, task_waits_for(task, now))))
        shown = []
        for dag in sorted(dags, key=lambda each: (each["created_at"] is None, each["created_at"], each["_id"])):
            ordered = [task for _, task in sorted(tasks[dag["name"]], key=lambda each: each[0])]
            shown.append(messages.dag_run(dag, ordered, dag_run_waits_for(dag, now)))
        return messages.run(run, shown, run_waits_for(run, now))

    async def page(self, request: pb.ListTasksRequest) -> pb.ListTasksResponse:
        """A page of the tasks of a run, or of all runs that are not final."""
        size = paging.size_of(request.page_size)
        wanted: Document = {"queue": request.queue} if request.queue else {}
        if states := checks.states(request.states):
            wanted["state"] = {"$in": states}
        place = paging.place_of(request.page_token, str)
        after = str(place[0]) if place else ""
        found: list[Document] = []
        for runs in _batches(await self._runs_after(request.run_id, after)):
            # Ids begin with that of their run, so the bounds keep the reading, in the order of ids, to these runs.
            between = {"$gt": max(after, runs[0]), "$lt": runs[-1] + ";"}
            query = {"run": {"$in": runs}, "_id": between, **wanted}
            limit = size + 1 - len(found)
            found += await self._db["task_runs"].find(query, FIELDS).sort("_id", 1).limit(limit).to_list()
            if len(found) > size:
                break
        shown = await self.shown(found[:size])
        token = paging.token_of([shown[-1].id]) if len(found) > size else ""
        return pb.ListTasksResponse(tasks=shown, next_page_token=token)

    async def result(self, request: pb.GetResultRequest) -> bytes:
        """The output of a task. Raises TaskUnknown, TaskAmbiguous, ResultMissing."""
        run = await self._runs.find(request.run_id)
        try:
            task = await self._named(run["_id"], checks.given("task", request.task))
        except TaskUnknown as error:
            if error.known:
                raise
            raise ResultMissing(request.task, f"its run is {_so_far(run['state'])}") from None
        if task.get("output") is not None:
            return await self._with.payloads.load(task["output"])
        state = State(task["state"])
        had = state is State.SUCCEEDED or (state is State.STOPPED and task.get("started_at"))
        reason = "it is no longer kept" if had else f"it is {_so_far(state)}"
        raise ResultMissing(request.task, reason)

    async def shown(self, tasks: Iterable[Document]) -> list[pb.Task]:
        """Tasks as messages, each with what it waits for."""
        tasks = list(tasks)
        queued = any(task["state"] == State.QUEUED for task in tasks)
        now = await served(self._with) if queued else frozenset()
        return [messages.task(task, task_waits_for(task, now)) for task in tasks]

    async def check_name(self, run_id: str, text: str) -> None:
        """Raise TaskUnknown where a run has no task called NAME or DAG:n/NAME."""
        if await self._db["task_runs"].find_one({"run": run_id, **named(text)}, {"_id": 1}) is None:
            known = await self._db["task_runs"].find({"run": run_id}, {"task": 1}).limit(1000).to_list()
            raise TaskUnknown(text, run_id, tuple(dict.fromkeys(task["task"] for task in known)))

    async def _named(self, run_id: str, text: str) -> Document:
        query = {"run": run_id, **named(text)}
        fields = dict.fromkeys(["output", "state", "dag", "task", "started_at"], 1)
        found = await self._db["task_runs"].find(query, fields).limit(6).to_list()
        if not found:
            await self.check_name(run_id, text)
        if len(found) > 1:
            raise TaskAmbiguous(text, tuple(f"{task['dag']}/{task['task']}" for task in found))
        return found[0]

    async def _runs_after(self, given: str, after: str) -> list[str]:
        if given:
            return [(await self._runs.find(given))["_id"]]
        open_ = {"state": {"$in": [State.PENDING, State.RUNNING, State.STOPPING]}}
        query = {**open_, "_id": {"$gte": ids.run_of(after)}}
        return [run["_id"] async for run in self._db["runs"].find(query, {"_id": 1}).sort("_id", 1)]


def _so_far(state: str) -> str:
    return state if state in FINAL else f"{state}; wait for it"


def task_of(text: str) -> tuple[str | None, str]:
    """(DAG run, task) of what a person calls NAME or DAG:n/NAME; without a DAG run it is any."""
    match = re.fullmatch(r"(.+?:\d+)/(.+)", text)
    return (match[1], match[2]) if match else (None, text)


def named(text: str) -> Document:
    """The filter for a task called NAME or DAG:n/NAME."""
    dag, task = task_of(text)
    return {"task": task} if dag is None else {"dag": dag, "task": task}


def _batches(runs: list[str]) -> Iterable[list[str]]:
    return (runs[start : start + _RUNS_AT_ONCE] for start in range(0, len(runs), _RUNS_AT_ONCE))
