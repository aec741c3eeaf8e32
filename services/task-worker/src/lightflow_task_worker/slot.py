"""A task slot: one guardian, and below it one child at a time that runs the attempts it is given."""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from lightflow.core.errors import LightflowException, TaskTimeout
from lightflow.core.outcomes import Ending, ErrorInfo, Outcome
from lightflow_task_worker.frames import Buffer, Frame, Header, PipeClosedError
from lightflow_task_worker.guard import Guard, GuardianGoneError
from lightflow_task_worker.leftovers import end_marked
from lightflow_task_worker.process import ChildProcess, StopFlag, ignore

logger = logging.getLogger(__name__)

Output = Callable[[bytes], None]
_STARTS = 3


@dataclass(frozen=True, slots=True)
class Input:
    """The output of a predecessor: the name and aliases it is reached by, and its pickled TaskData (None: empty)."""

    name: str
    aliases: tuple[str, ...]
    payload: bytes | None


@dataclass(frozen=True, slots=True)
class Job:
    """One attempt, as a child needs it. Every bytes field was verified: the child unpickles it."""

    task_run: str
    run_id: str
    workflow: str
    version: str
    dag: str  # with its :n
    task: str
    index: int
    attempt: int
    worker: str
    timeout: float | None  # seconds
    shard: bytes  # what the version says for this task, as the loader made it
    folder: str | None  # where the version's source archive lies, first on the child's path
    inputs: tuple[Input, ...] = ()
    start_data: bytes | None = None  # a pickled MultiTaskData or TaskData


@dataclass(frozen=True, slots=True)
class Result:
    """What came of an attempt; `output` is a pickled TaskData."""

    outcome: Outcome
    output: bytes | None = None


class Calls(Protocol):
    """Executes what a task asks of its store and signal."""

    async def call(self, method: str, header: Header, payload: bytes) -> tuple[Header, bytes]:
        """The answer's header and payload. A LightflowException is raised again in the task.

        `header["call"]` counts the attempt's calls from 1. A call is cancelled when the task no longer waits for it.

        | method | header | payload | answer |
        |---|---|---|---|
        | get | key section | | {"found": bool}, encoded value |
        | set push extend | key section | encoded value (for extend: of a list) | {} |
        | start_dag | name, data: whether there are any | pickled MultiTaskData | {"name": str or None} |
        | join_dags | names: list or None | | {} |
        | stop_dag | name: str or None | | {} |
        | stop_workflow | | | {} |
        """


@dataclass(frozen=True, slots=True)
class ChildSettings:
    """`marker` is in the environment of all that the worker starts (leftovers.py); `grace` are the seconds that an
    attempt has after its timeout was raised in it."""

    marker: str
    grace: float = 5.0


class Slots:
    """Makes slots: holds the process that their guardians are forked from."""

    def __init__(self, settings: ChildSettings) -> None:
        self.settings = settings
        self._root: Guard | None = None
        self._starting = asyncio.Lock()

    async def start(self) -> "Slot":
        """A new slot, in a few milliseconds."""
        return Slot(self, self.settings, await self.guard())

    async def guard(self) -> Guard:
        """A new guardian; the process it is forked from is started anew should it have died."""
        async with self._starting:
            for _ in range(_STARTS):
                if self._root is None or self._root.gone.done():
                    self._root = await Guard.start(self.settings.marker)
                with contextlib.suppress(GuardianGoneError):
                    return await self._root.guard()
        raise LightflowException(f"the guardian process died {_STARTS} times at its start; its output says why")

    def forget(self, guardian: Guard) -> None:
        """The guardian was closed."""
        if self._root is not None:
            self._root.forget(guardian.pid)

    async def end_orphans_of(self, guardian: Guard) -> None:
        """Return when what a dead guardian left behind is gone: its parent inherited it, and ends it."""
        try:
            if self._root is not None:
                await self._root.ended(guardian.pid)
        except GuardianGoneError:
            # With that parent every guardian's memory of its orphans is gone: only the marker finds them.
            await asyncio.to_thread(end_marked, self.settings.marker)

    async def close(self) -> None:
        """End every slot's processes, and the one they came from."""
        if self._root is not None:
            await self._root.close()


class Slot:
    """Runs one attempt at a time."""

    def __init__(self, slots: Slots, settings: ChildSettings, guard: Guard) -> None:
        self._slots = slots
        self._settings = settings
        self._guard = guard
        self._stop = StopFlag()
        self._child: ChildProcess | None = None
        self._shard = b""
        self._killed = False
        self._busy = False
        self.version: str | None = None

    @property
    def pid(self) -> int:
        """The guardian's process id."""
        return self._guard.pid

    @property
    def child_pid(self) -> int | None:
        return self._child.pid if self._child is not None else None

    @property
    def process_pids(self) -> tuple[int, ...]:
        return (self.pid,) if self._child is None else (self.pid, self._child.pid)

    async def run(self, job: Job, calls: Calls, output: Output) -> Result:
        """Run an attempt; `output` gets what it writes. Whatever happens to its process is an outcome, never an error.

        Cancelling it kills the attempt.
        """
        assert not self._busy, "a slot runs one attempt at a time"
        self._busy, self._killed = True, False
        self._stop.clear()
        try:
            return await self._run(job, calls, output)
        except BaseException:
            await asyncio.shield(self._end_child())
            raise
        finally:
            self._busy = False
            if self._child is not None:
                self._child.output = ignore

    def tell_stopped(self) -> None:
        """Make the attempt's `signal.is_stopped` true, and its stop descriptor readable."""
        if self._busy:
            self._stop.set()

    async def kill(self) -> None:
        """Kill the attempt and everything that it started; `run` returns the outcome KILLED."""
        if not self._busy:
            return
        self._killed = True
        with contextlib.suppress(GuardianGoneError):
            await self._guard.kill()

    async def close(self) -> None:
        """End the slot's processes."""
        self._killed = True
        await self._guard.close()
        self._slots.forget(self._guard)
        await self._end_child()
        self._stop.close()

    async def _run(self, job: Job, calls: Calls, output: Output) -> Result:
        child = await self._child_for(job.version)
        child.output = output
        expired = asyncio.Event()
        deadline = self._set_deadline(job, expired)
        try:
            if self._killed:
                raise PipeClosedError
            header, parts = await Conversation(child, calls).run(*self._job_frame(job))
        except (PipeClosedError, ConnectionError):
            return Result(self._outcome_of_death(job, await self._end_child(), expired.is_set()))
        finally:
            if deadline is not None:
                deadline.cancel()
        child.drain()
        if header["retire"]:
            await self._end_child()
        return Result(outcome_from_json(header["result"]), bytes(parts[0]) if parts else None)

    def _set_deadline(self, job: Job, expired: asyncio.Event) -> asyncio.TimerHandle | None:
        """The timeout is raised inside the child; this is for one that does not end by it."""
        if job.timeout is None:
            return None

        def expire() -> None:
            expired.set()
            self._guard.kill_soon()

        return asyncio.get_running_loop().call_later(job.timeout + self._settings.grace, expire)

    async def _child_for(self, version: str) -> ChildProcess:
        if self._child is not None and self.version == version and not self._child.has_ended:
            return self._child
        await self._end_child()
        while True:
            try:
                child = await ChildProcess.fork(self._guard, "attempts", self._stop.descriptors)
                break
            except GuardianGoneError:
                self._guard = await self._slots.guard()
        self._child, self.version, self._shard = child, version, b""
        return child

    def _job_frame(self, job: Job) -> tuple[Header, list[Buffer]]:
        known, self._shard = job.shard == self._shard, job.shard
        parts: list[Buffer] = [b"" if known else job.shard]
        if job.start_data is not None:
            parts.append(job.start_data)
        parts += [each.payload for each in job.inputs if each.payload is not None]
        header = {
            "run_id": job.run_id,
            "workflow": job.workflow,
            "dag": job.dag,
            "task": job.task,
            "index": job.index,
            "attempt": job.attempt,
            "worker": job.worker,
            "timeout": job.timeout,
            "folder": job.folder,
            "start_data": job.start_data is not None,
            "inputs": [(each.name, each.aliases, each.payload is not None) for each in job.inputs],
        }
        return header, parts

    async def _end_child(self) -> str:
        """End the child, if there is one, with all that came of it; how it ended."""
        child, self._child, self.version = self._child, None, None
        if child is None:
            return ""
        how = await child.end()
        if self._guard.gone.done() and not self._killed:
            await self._slots.end_orphans_of(self._guard)
        return how

    def _outcome_of_death(self, job: Job, how: str, expired: bool) -> Outcome:
        if self._killed:
            return Outcome(Ending.KILLED, ErrorInfo("TaskKilled", f"Task {job.task!r} was killed on request"))
        if expired and job.timeout is not None:
            error = TaskTimeout(task=job.task, seconds=job.timeout)
            return Outcome(Ending.ERROR, ErrorInfo("TaskTimeout", f"{error}; it went on, so its process was killed"))
        return Outcome(Ending.DIED, ErrorInfo("TaskDied", f"the process of task {job.task!r} {how}"))


class Conversation:
    """One attempt's frames: the job, calls and their answers, the result."""

    def __init__(self, child: ChildProcess, calls: Calls) -> None:
        self._child = child
        self._calls = calls
        self._answering: asyncio.Task[None] | None = None
        self._calling = False

    async def run(self, job: Header, parts: list[Buffer]) -> Frame:
        """The frame with the result. Raises PipeClosedError or ConnectionError when the child is gone."""
        try:
            await self._child.pipe.send(job, parts)
            while True:
                header, received = await self._child.pipe.receive()
                # A new frame means that the child waits for no earlier answer: a timeout took it out of the call.
                await self._give_up()
                if "result" in header:
                    return header, received
                self._calling = True
                self._answering = asyncio.create_task(self._answer(header, bytes(received[0])))
        finally:
            await self._give_up()

    async def _give_up(self) -> None:
        if self._answering is None:
            return
        if self._calling:
            self._answering.cancel()
        # An answer that is on its way is finished: the child's end reads it and drops it.
        await asyncio.wait({self._answering})
        if not self._answering.cancelled():
            self._answering.exception()  # the child is gone, which the next frame tells
        self._answering = None

    async def _answer(self, header: Header, payload: bytes) -> None:
        number, method = header["call"], header.pop("method")
        try:
            answer, data = await self._calls.call(method, header, payload)
        except LightflowException as error:
            answer, data = {"error": error.to_json()}, b""
        except Exception as error:
            logger.exception("the call %s of a task failed", method)
            failure = LightflowException(f"{method} failed in the worker: {type(error).__name__}: {error}")
            answer, data = {"error": failure.to_json()}, b""
        self._calling = False
        await self._child.pipe.send({**answer, "call": number}, [data])


def outcome_from_json(data: dict[str, Any]) -> Outcome:
    """The outcome that a child reported."""
    error, limit = data["error"], data["limit"]
    return Outcome(
        Ending(data["ending"]),
        None if error is None else ErrorInfo.from_json(error),
        data["retryable"],
        None if limit is None else tuple(limit),
    )
