"""Watching runs: changes, events and logs, as they come. Facts are read from the record; a look only says when."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from math import inf
from time import monotonic
from typing import Final

from lightflow.control.v1 import control_pb2 as pb
from lightflow.core.states import FINAL, State
from lightflow.runtime.logs import LogPosition, read_logs
from lightflow.runtime.mongo import Document
from lightflow.runtime.process import UNREACHABLE
from lightflow.runtime.rpc.requests import timestamp
from lightflow_scheduler import checks, events, messages
from lightflow_scheduler.collaborators import Collaborators
from lightflow_scheduler.runs import HIDDEN, Runs
from lightflow_scheduler.tasks import FIELDS, Tasks, task_of
from lightflow_scheduler.waiting import soon

logger = logging.getLogger(__name__)

LONG_AGO: Final = datetime(1970, 1, 1, tzinfo=UTC)

OVERLAP: Final = timedelta(seconds=2)
"""How far back each reading looks again: a write becomes visible a little after the time it carries."""

LATE: Final = timedelta(minutes=1)
"""How late a beginning may be recorded and is told still: it has the time of the look that decided it."""

THROTTLE: Final = 0.05
"""Seconds between two readings of a stream: many looks become one."""

SHARE: Final = 4
"""How many times as long as a reading took a stream rests: watching a large run costs a share, never all."""

AT_ONCE: Final = 1000
"""Documents that are held at once of those that changed."""

_OPEN = [state.value for state in State if state not in FINAL]
_TASK_EVENT = dict.fromkeys(["run", "dag_run", "dag", "task", "queue", "state", "finished_at", "changed_at"], 1) | {
    f"attempts.{name}": 1 for name in ("worker", "pid", "started_at")
}


class Watching:
    """Streams what happens."""

    def __init__(self, with_: Collaborators, runs: Runs, tasks: Tasks) -> None:
        self._with = with_
        self._db = with_.db
        self._runs = runs
        self._tasks = tasks

    async def run(self, given: str) -> AsyncIterator[pb.WatchRunResponse]:
        """The whole run, then the run without DAG runs and the tasks that changed, until it is final."""
        run_id = (await self._runs.find(given))["_id"]
        async with self._with.notifier.subscribe("begun", "run", "dag", "task") as looks:
            changes = Changes(await self._now() - OVERLAP)
            whole = await self._tasks.run(run_id)
            yield pb.WatchRunResponse(run=whole)
            changes.told(task for dag in whole.dags for task in dag.tasks)
            told, final = b"", whole.state in FINAL
            while not final:
                await soon(looks, self._with.recheck, run=run_id)
                began = monotonic()
                run = messages.run(await self._runs.find(run_id))
                final = run.state in FINAL
                if final:
                    changes.since = LONG_AGO  # one complete reading, so that nothing is missed at the end
                changed = await self._changed(run_id, changes)
                now = run.SerializeToString(deterministic=True)
                if changed or now != told:
                    told = now
                    yield pb.WatchRunResponse(run=run, changed=changed)
                    if not final:
                        await asyncio.sleep(max(THROTTLE, SHARE * (monotonic() - began)))

    async def until_final(self, request: pb.WaitRunRequest) -> pb.WaitRunResponse:
        """A run without its DAG runs once it is final or patience is over, and those of the others that are final."""
        others = checks.run_ids("others", request.others)
        clock = asyncio.get_running_loop().time
        patience = request.patience
        until = clock() + patience.seconds + patience.nanos / 1e9 if request.HasField("patience") else inf
        async with self._with.notifier.subscribe("run") as looks:
            run = await self._runs.find(request.run_id)
            while run["state"] not in FINAL and (left := until - clock()) > 0:
                await soon(looks, min(left, self._with.recheck), run=run["_id"])
                run = await self._runs.find(run["_id"])
        return pb.WaitRunResponse(run=messages.run(run), ended=map(messages.run, await self._ended(others)))

    async def _ended(self, run_ids: list[str]) -> list[Document]:
        """Those of these runs that are known to be final."""
        try:
            return await self._runs.ended(run_ids) if run_ids else []
        except UNREACHABLE as error:  # the answer that was asked for is there, and they will be asked about again
            logger.debug("it was not asked which other runs have ended: %s", error)
            return []

    async def events(self, request: pb.WatchEventsRequest) -> AsyncIterator[pb.WatchEventsResponse]:
        """From when on, then every event since, once; those of a single run until it is final."""
        run_id = (await self._runs.find(request.run_id))["_id"] if request.run_id else ""
        since = messages.moment(request.since) if request.HasField("since") else await self._now()
        begin, sent = since - OVERLAP, Sent()
        concerned = {"run": run_id} if run_id else {}
        async with self._with.notifier.subscribe("begun", "run", "dag", "task") as looks:
            yield pb.WatchEventsResponse(since=timestamp(since))
            final = False
            while not final:
                now = await self._now()
                final = bool(run_id) and (await self._runs.find(run_id))["state"] in FINAL
                found, again = await self._events(run_id, begin)
                for event in sent.fresh(found, max(since, begin - LATE)):
                    yield pb.WatchEventsResponse(event=event)
                begin = max(begin, (again or now) - OVERLAP)  # never back: what was sent before is forgotten
                if not final:
                    await asyncio.sleep(THROTTLE)
                    await soon(looks, self._with.recheck, **concerned)

    async def logs(self, request: pb.StreamLogsRequest) -> AsyncIterator[pb.StreamLogsResponse]:
        """What tasks wrote, in order; followed until the run is final and everything was sent. Raises TaskUnknown."""
        run_id = (await self._runs.find(request.run_id))["_id"]
        dag, task = task_of(checks.given("task", request.task)) if request.task else (None, None)
        position = LogPosition()
        async with self._with.notifier.subscribe("log", "run") as looks:
            while True:
                # Asked before reading: what was written before the end is then read after it.
                final = (await self._runs.find(run_id))["state"] in FINAL
                async for chunk in read_logs(self._db, run_id, task=task, dag=dag, after=position):
                    yield messages.log(chunk)
                if final or not request.follow:
                    break
                await soon(looks, self._with.recheck, run=run_id)
        if task is not None and not position.seen:
            await self._tasks.check_name(run_id, request.task)

    async def _changed(self, run_id: str, changes: "Changes") -> list[pb.Task]:
        query = {"run": run_id, "changed_at": {"$gte": changes.since}}
        cursor, newest, fresh = self._db["task_runs"].find(query, FIELDS), changes.since, list[pb.Task]()
        while found := await cursor.to_list(AT_ONCE):
            newest = max(newest, events.newest((task["changed_at"] for task in found), newest))
            fresh += changes.fresh(await self._tasks.shown(found))
        changes.since = max(changes.since, newest - OVERLAP)
        return fresh

    async def _events(self, run_id: str, since: datetime) -> tuple[list[pb.Event], datetime | None]:
        """What changed since then tells, and from when on it is to be read again."""
        changed = {"changed_at": {"$gte": since}}
        wanted = {"_id": run_id} if run_id else {"$or": [{"state": {"$in": _OPEN}}, changed]}
        runs = {run["_id"]: run async for run in self._db["runs"].find(wanted, HIDDEN | {"arguments": 0})}
        within = {"run": {"$in": list(runs)}, **changed}
        dag_runs = await self._dag_runs(within)
        tasks = await self._db["task_runs"].find(within, _TASK_EVENT).to_list()
        missing = {task["dag_run"] for task in tasks} - dag_runs.keys()
        late = await self._dag_runs({"_id": {"$in": list(missing)}}) if missing else {}
        return events.of_reading(runs, dag_runs, late, tasks)

    async def _dag_runs(self, wanted: Document) -> dict[str, Document]:
        return {dag_run["_id"]: dag_run async for dag_run in self._db["dag_runs"].find(wanted, {"data": 0})}

    async def _now(self) -> datetime:
        """The time of the server, which is the time that documents carry."""
        answer = await self._db.command("hello", codec_options=self._db.codec_options)
        now: datetime = answer["localTime"]
        return now


class Changes:
    """Which tasks a watcher has been told of, and in what condition."""

    def __init__(self, since: datetime) -> None:
        self.since = since
        self._told: dict[str, bytes] = {}

    def told(self, tasks: Iterable[pb.Task]) -> None:
        """Take these as told."""
        self._told.update({task.id: task.SerializeToString(deterministic=True) for task in tasks})

    def fresh(self, tasks: Sequence[pb.Task]) -> list[pb.Task]:
        """Those of the tasks that differ from what was told; they are told now."""
        fresh = [task for task in tasks if self._told.get(task.id) != task.SerializeToString(deterministic=True)]
        self.told(fresh)
        return fresh


class Sent:
    """Which events a stream has sent."""

    def __init__(self) -> None:
        self._sent: dict[str, datetime] = {}

    def fresh(self, found: Iterable[pb.Event], since: datetime) -> list[pb.Event]:
        """The events of that time and later which were not sent, in their order; older ones are forgotten."""
        self._sent = {id_: time for id_, time in self._sent.items() if time >= since}
        fresh = {}
        for event in found:
            time = messages.moment(event.time)
            if time >= since and event.id not in self._sent:
                fresh[event.id] = event
                self._sent[event.id] = time
        return sorted(fresh.values(), key=events.order)
