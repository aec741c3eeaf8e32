"""A task slot: one guardian, and below it one child at a time that runs the attempts it is given."""

import asyncio
import contextlib
from collections.abc import Callable

from lightflow.core.errors import TaskTimeout
from lightflow.core.outcomes import Ending, ErrorInfo, Outcome
from lightflow_task_worker.conversation import Conversation
from lightflow_task_worker.frames import PipeClosedError
from lightflow_task_worker.guard import Guard, GuardianGoneError
from lightflow_task_worker.guards import ChildSettings, Guards
from lightflow_task_worker.job import Calls, Input, Job, Result, job_frame, outcome_from_json
from lightflow_task_worker.process import ChildProcess, StopFlag, ignore

__all__ = ["Calls", "ChildSettings", "Input", "Job", "Result", "Slot", "Slots"]

Output = Callable[[bytes], None]


class Slots(Guards):
    """Makes slots."""

    async def start(self) -> "Slot":
        """A new slot, in a few milliseconds."""
        return Slot(self, await self.guard())


class Slot:
    """Runs one attempt at a time."""

    def __init__(self, guards: Guards, guard: Guard) -> None:
        self._guards = guards
        self._guard = guard
        self._stop = StopFlag()
        self._child: ChildProcess | None = None
        self._shard = b""
        self._attempts = 0  # of the child
        self._killed = False
        self._busy = self._closed = False
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
        self._killed = self._closed = True
        await self._guard.close()
        self._guards.forget(self._guard)
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
            frame = job_frame(job, self._shard)
            self._shard = job.shard
            header, parts = await Conversation(child, calls).run(*frame)
        except (PipeClosedError, ConnectionError):
            return Result(self._outcome_of_death(job, await self._end_child(), expired.is_set()))
        finally:
            if deadline is not None:
                deadline.cancel()
        child.drain()
        self._attempts += 1
        # One that is being killed although it has answered must not be there for the next attempt.
        if header["retire"] or self._killed or self._attempts == self._guards.settings.max_attempts:
            await self._end_child()
        return Result(outcome_from_json(header["result"]), bytes(parts[0]) if parts else None)

    def _set_deadline(self, job: Job, expired: asyncio.Event) -> asyncio.TimerHandle | None:
        """The timeout is raised inside the child; this is for one that does not end by it."""
        if job.timeout is None:
            return None

        def expire() -> None:
            expired.set()
            self._guard.kill_soon()

        return asyncio.get_running_loop().call_later(job.timeout + self._guards.settings.grace, expire)

    async def _child_for(self, version: str) -> ChildProcess:
        if self._child is not None and self.version == version and not self._child.has_ended:
            return self._child
        await self._end_child()
        while True:
            try:
                child = await ChildProcess.fork(self._guard, "attempts", self._stop.descriptors)
                break
            except GuardianGoneError:
                self._guard = await self._guards.guard()
        self._child, self.version, self._shard, self._attempts = child, version, b"", 0
        return child

    async def _end_child(self) -> str:
        """End the child, if there is one, with all that came of it; how it ended."""
        child, self._child, self.version = self._child, None, None
        if child is None:
            return ""
        how = await child.end()
        if self._guard.gone.done() and not self._closed:
            await self._guards.end_orphans_of(self._guard)
        return how

    def _outcome_of_death(self, job: Job, how: str, expired: bool) -> Outcome:
        if self._killed:
            return Outcome(Ending.KILLED, ErrorInfo("TaskKilled", f"Task {job.task!r} was killed on request"))
        if expired and job.timeout is not None:
            error = TaskTimeout(task=job.task, seconds=job.timeout)
            return Outcome(Ending.ERROR, ErrorInfo("TaskTimeout", f"{error}; it went on, so its process was killed"))
        return Outcome(Ending.DIED, ErrorInfo("TaskDied", f"the process of task {job.task!r} {how}"))
