"""One attempt in a worker: from its claim to the commit of its outcome."""

import asyncio
import logging
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from pymongo.errors import PyMongoError

from lightflow.core.errors import LightflowException
from lightflow.core.graph import DagSpec
from lightflow.core.ids import new_id
from lightflow.core.outcomes import Ending, ErrorInfo, Outcome
from lightflow.core.states import FINAL, Reason, Service, State
from lightflow.runtime import attempts
from lightflow.runtime.hints import Hints
from lightflow.runtime.loglines import Writer
from lightflow.runtime.logs import LogWriter
from lightflow.runtime.mongo import Database, Document
from lightflow.runtime.notify import Notifier
from lightflow.runtime.payloads import Payloads
from lightflow.runtime.process import UNREACHABLE
from lightflow_task_worker.aftermath import Aftermath, Ended
from lightflow_task_worker.backlog import Backlog, Pace
from lightflow_task_worker.calls import Calling, TaskCalls
from lightflow_task_worker.echo import Echo, Terminal
from lightflow_task_worker.ending import End, end_of, successor_of
from lightflow_task_worker.facts import Circumstances, StopFacts
from lightflow_task_worker.knowledge import Knowledge
from lightflow_task_worker.pool import Pool
from lightflow_task_worker.preparing import Preparing
from lightflow_task_worker.settings import Settings
from lightflow_task_worker.slot import Job, Output, Result, Slot
from lightflow_task_worker.store import Store, Take
from lightflow_task_worker.versions import Version, Versions

logger = logging.getLogger(__name__)

MOMENT = 0.01
"""Seconds before it is asked again whether run and DAG run are recorded as begun: milliseconds if nothing dies."""

PAUSE = 0.2
"""Seconds between two tries of a step while MongoDB cannot be reached."""


@dataclass(frozen=True, slots=True)
class Tools:
    """What attempts are made with, and what is known of those of this worker.

    `held` are those it has, by task; `ahead` those of them without a slot, each after the time it came (seconds of the
    event loop's clock); `asked` claims whose answer is not in yet; `begun` those that had a slot.
    """

    db: Database
    settings: Settings
    store: Store
    knowledge: Knowledge
    versions: Versions
    payloads: Payloads
    preparing: Preparing
    pool: Pool
    hints: Hints
    notifier: Notifier
    calling: Calling
    terminal: Terminal | None = None
    held: dict[str, "Attempt"] = field(default_factory=dict)
    ahead: deque[tuple[float, "Attempt"]] = field(default_factory=deque)
    asked: set[str] = field(default_factory=set)
    begun: set[tuple[str, str]] = field(default_factory=set)
    aftermath: Aftermath = field(default_factory=Aftermath)
    backlog: Backlog = field(default_factory=Backlog)
    pace: Pace = field(default_factory=Pace)

    @property
    def places_ahead(self) -> int:
        """How many attempts may be claimed now before there is a slot for them."""
        return self.settings.engine.slots * self.pace.ahead(asyncio.get_running_loop().time())


@dataclass(frozen=True, slots=True)
class Executed:
    """An attempt whose user code is over."""

    dag: DagSpec
    result: Result


@dataclass
class Attempt:
    """An attempt that this worker holds."""

    task: Document
    tools: Tools
    stopping: Reason | None = None
    superseded: bool = False
    returned: bool = False
    _killed: bool = False
    _in_use: bool = False
    _slot: Slot | None = None
    _kill: asyncio.TimerHandle | None = None
    _background: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def id(self) -> str:
        return str(self.task["_id"])

    @property
    def claim(self) -> tuple[str, str]:
        """Tells it from another attempt of its task, which this worker may run while this one is still being ended."""
        return self.id, self.task["claim"]

    @property
    def number(self) -> int:
        """Which attempt of its task this is, from 1."""
        return len(self.task["attempts"])

    def take_slot(self) -> None:
        """Be counted as running."""
        self._in_use = True
        self.tools.pool.take()
        self.tools.pace.begin(self.claim, asyncio.get_running_loop().time())

    def give_slot(self) -> None:
        """No longer be counted as running, if it is."""
        if self._in_use:
            self._in_use = False
            self.tools.pace.end(self.claim, asyncio.get_running_loop().time())
            self.tools.pool.give()

    async def execute(self) -> Executed | None:
        """Run it, which gives the slot back; what goes wrong on the way is an outcome too. None: it is over already."""
        try:
            version: Version = await self._persistently(lambda: self.tools.versions.get(self.task["version"]))
            dag = version.spec.dag(self.task["dag"].rpartition(":")[0])
        except LightflowException as error:
            await self._refuse(error)
            return None
        circumstances = await self._circumstances(dag)
        if (reason := self.stopping or circumstances.stop.reason) is not None:
            await self.hand_back(reason)
            return None
        await self.tools.notifier.publish("task", run=self.task["run"])
        result = await self._execute(version, dag, circumstances)
        return None if self.superseded else Executed(dag, result)

    async def end(self, executed: Executed) -> Document | None:
        """Commit the outcome; the attempt that was claimed with it, if one was."""
        tools, task, dag = self.tools, self.task, executed.dag
        outcome, output = executed.result.outcome, None
        if executed.result.output is not None and outcome.ending in (Ending.SUCCEEDED, Ending.STOPPED):
            output = await self._persistently(lambda: tools.payloads.save(executed.result.output or b"", task["run"]))
        end = end_of(task, dag, outcome, tools.settings.engine.bounds, self.stopping is not None)
        take = self._take(dag, end)
        if take is None:
            return await self._commit(dag, end, output, None)
        tools.asked.add(take.operation)
        try:
            return await self._commit(dag, end, output, take)
        finally:
            tools.asked.discard(take.operation)

    async def _commit(self, dag: DagSpec, end: End, output: Document | None, take: Take | None) -> Document | None:
        tools, task = self.tools, self.task
        committed = await self._persistently(lambda: tools.store.commit(task, dag, end, output, take))
        if committed.accepted:
            if end.settlement.state in FINAL:
                tools.knowledge.ended(self.id, end.settlement.state, output)
            # Where successors no longer waited, somebody stopped them, and must hear that this task is over.
            looked_after = self._is_looked_after(dag, end) and committed.whole
            await self._tell_others(end.settlement.state, end.settlement.delay, looked_after)
            taken: Document | None = committed.taken
            return taken
        if await self._persistently(lambda: tools.store.is_committed(task)):
            # The reply was lost, and with it whether what follows was done: a dag-runner will see.
            await self._tell_others(end.settlement.state, end.settlement.delay)
            return None if take is None else await self._taken_with(take)
        logger.warning("the outcome of %s came too late and was refused", self.id)
        if output is not None:
            await tools.payloads.remove(output)
        return None

    def tell(self, facts: StopFacts) -> None:
        """Pass on that the attempt should stop, and kill it in time when that was asked for."""
        if facts.reason is not None and self.stopping is None:
            self.stopping = facts.reason
            if self._slot is not None:
                self._slot.tell_stopped()
        if facts.kill_in is not None and self._kill is None:
            self._kill = asyncio.get_running_loop().call_later(facts.kill_in, self.kill)

    def supersede(self) -> None:
        """The task is no longer this attempt's: end it, its outcome does not matter."""
        self.superseded = True
        self.kill()

    def hand_in(self) -> None:
        """The worker shuts down and the grace is over: end the attempt, it will be repeated uncounted."""
        self.returned = True
        self.kill()

    def kill(self) -> None:
        """Kill everything that the attempt started, or starts yet."""
        self._killed = True
        if self._slot is not None:
            task = asyncio.create_task(self._slot.kill())
            self._background.add(task)
            task.add_done_callback(self._background.discard)

    async def hand_back(self, reason: Reason | None) -> None:
        """Give the attempt back before user code began; for good where there is a reason to stop."""
        await self._persistently(lambda: self.tools.store.hand_back(self.task, reason))
        await self._tell_others(State.STOPPED if reason else State.QUEUED)

    async def _circumstances(self, dag: DagSpec) -> Circumstances:
        """What it must know, once run and DAG run have begun: who hinted at it did not wait until that was recorded."""
        pause = MOMENT
        while True:
            found: Circumstances = await self._persistently(lambda: self.tools.knowledge.circumstances(self.task, dag))
            if not found.stop.too_early or self.superseded or self.returned:
                return found
            await asyncio.sleep(pause)
            pause = min(2 * pause, PAUSE)

    async def _execute(self, version: Version, dag: DagSpec, circumstances: Circumstances) -> Result:
        tools = self.tools
        log = LogWriter(
            tools.db,
            tools.notifier,
            run=self.task["run"],
            dag=self.task["dag"],
            task=self.task["task"],
            attempt=self.number,
            limit=tools.settings.engine.log_limit,
        )
        echo = None
        if tools.terminal is not None:
            echo = Echo(tools.terminal, Writer(self.task["dag"], self.task["task"], self.number))
        try:
            job: Job = await self._persistently(lambda: tools.preparing.job(self.task, version, dag, circumstances))
            result = await self._in_slot(job, log.write if echo is None else _both(log.write, echo.write))
        except LightflowException as error:
            result = Result(Outcome(Ending.ERROR, ErrorInfo(type(error).__name__, str(error)), retryable=False))
        for name in dag.strangers(self.task["index"], result.outcome.limit):
            log.write(
                f"Warning: the limit names {name!r}, which is no successor of this task; it is ignored\n".encode()
            )
        await self._close(log)
        if echo is not None:
            echo.close(result.outcome)
        if self.returned and result.outcome.ending is Ending.KILLED:
            return Result(Outcome(Ending.RETURNED))
        return result

    async def _close(self, log: LogWriter) -> None:
        try:
            await log.close()
        except PyMongoError as error:
            # Logs do not decide: what the attempt ended with is committed all the same.
            logger.error("the end of the log of %s is lost: %s", self.id, error)

    async def _in_slot(self, job: Job, output: Output) -> Result:
        pool = self.tools.pool
        slot = await pool.slot_for(job.version)
        try:
            if self.superseded or self.returned:
                return Result(Outcome(Ending.RETURNED))
            running = asyncio.create_task(slot.run(job, TaskCalls(self, self.tools.calling), output))
            await asyncio.sleep(0)  # the slot begins, so that what it is told from here on reaches the attempt
            self._slot = slot
            if self.stopping is not None:
                slot.tell_stopped()
            if self._killed:
                self.kill()
            return await running
        finally:
            self._slot = None
            if self._kill is not None:
                self._kill.cancel()
            await pool.put_back(slot)
            self.give_slot()

    async def _taken_with(self, take: Take) -> Document | None:
        found: list[Document] = await self._persistently(lambda: self.tools.store.claimed_by(take.operation))
        return found[0] if found else None

    def _take(self, dag: DagSpec, end: End) -> Take | None:
        """What to claim with the commit: a successor, where its run is known to go on."""
        tools = self.tools
        if end.follows is None or not self._may_take() or not tools.knowledge.goes_on(self.task["dag_run"]):
            return None
        mine = [index for index in end.follows.ready if dag.tasks[index].queue in tools.settings.queues]
        return Take(successor_of(self.task, dag, mine[0]), new_id()) if mine else None

    def _may_take(self) -> bool:
        """Whether a slot is free and it is nobody else's turn; while tasks are short, a place ahead will do.

        Half of those places are left to what has been queued for longer.
        """
        tools = self.tools
        if tools.backlog.is_closed or not tools.calling.holds() or tools.calling.waiting.is_crowded:
            return False
        if tools.pool.free and not tools.backlog.may_hold:
            return True
        return 2 * (len(tools.ahead) + 1) <= tools.places_ahead

    def _is_looked_after(self, dag: DagSpec, end: End) -> bool:
        """Whether a dag-runner need not be hinted at once: what follows is done, or hinted at with the aftermath."""
        if end.follows is not None:
            self.tools.aftermath.queued.update(end.queued(self.task, dag))
        elif end.goes_on:
            self.tools.aftermath.ended[self.id] = Ended(self.task, dag)
        return end.goes_on

    async def _tell_others(self, state: State, delay: float = 0.0, propagated: bool = False) -> None:
        tools, task = self.tools, self.task
        if not propagated:
            tools.hints.send(Service.DAG_RUNNER, task["dag_queue"], [task["dag_run"]])
        if state is State.QUEUED:
            loop = asyncio.get_running_loop()
            loop.call_later(delay, tools.hints.send, Service.TASK_WORKER, task["queue"], [self.id])
        await tools.notifier.publish("task", run=task["run"])

    async def _refuse(self, error: LightflowException) -> None:
        """No attempt can be made of a task whose version cannot be had: fail it and say so."""
        outcome = Outcome(Ending.ERROR, ErrorInfo(type(error).__name__, str(error)), retryable=False)
        dag = DagSpec(self.task["dag"])
        end = End(outcome, attempts.settle_without_spec(self.task, outcome, self.tools.settings.engine.bounds))
        await self._persistently(lambda: self.tools.store.commit(self.task, dag, end, None))
        await self._tell_others(end.settlement.state)

    async def _persistently(self, step: Any) -> Any:
        """The result of a step that is repeated through an outage, until the attempt no longer holds its task."""
        while True:
            try:
                return await step()
            except UNREACHABLE as error:
                if self.superseded:
                    raise
                logger.warning("%s waits: %s", self.id, str(error).splitlines()[0])
                await asyncio.sleep(PAUSE)


def _both(one: Output, other: Output) -> Output:
    def write(piece: bytes) -> None:
        one(piece)
        other(piece)

    return write
