"""Keeps one process alive: starts it, sees it ready, starts it again when it dies."""

import asyncio
import os
import signal
from collections.abc import Callable, Mapping
from contextlib import suppress

from lightflow.runtime.supervision.errors import ProcessNotReady
from lightflow.runtime.supervision.living import ProcessInfo, birth
from lightflow.runtime.supervision.processes import ProcessSpec, Ready, answers, describe_exit, prepare, tail
from lightflow.runtime.supervision.restarts import deaths_after, delay_after, gives_up

RETRY = 0.01
# What is left of a grace, in seconds, once there is a hurry.
HURRIED_GRACE = 1.0


class Keeper:
    """One process; `changed` is called whenever `info` has something new to tell."""

    def __init__(self, spec: ProcessSpec, inherited: Mapping[str, str], changed: Callable[[], None]) -> None:
        self.spec = spec
        self.ready = asyncio.Event()  # it has been ready once
        self._inherited = inherited
        self._changed = changed
        self._state = "starting"
        self._starts = 0
        self._stopping = asyncio.Event()
        self._process: asyncio.subprocess.Process | None = None

    @property
    def info(self) -> ProcessInfo:
        """What there is to tell about the process."""
        pid = self._process.pid if self._process else None
        born = birth(pid) if pid else None
        return ProcessInfo(self.spec.service, self.spec.name, pid, self._state, max(0, self._starts - 1), born)

    async def keep(self) -> None:
        """Run until `end`, or the process ends for good; raises ProcessNotReady for one that never comes up."""
        deaths, loop = 0, asyncio.get_running_loop()
        while not self._stopping.is_set():
            born = loop.time()
            returncode = await self._live()
            if self._stopping.is_set() or (returncode == 0 and self.spec.may_end):
                break
            deaths = deaths_after(deaths, loop.time() - born)
            if gives_up(deaths, self.ready.is_set()):
                raise self.not_ready(describe_exit(returncode))
            self._tell("restarting")
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), delay_after(deaths))
        self._tell("stopped")

    async def end(self, keeping: "asyncio.Task[None]", hurry: asyncio.Event) -> None:
        """End the process: SIGTERM, and SIGKILL after its grace or once there is a hurry. `keeping` runs `keep`."""
        self._stopping.set()
        self._signal(signal.SIGTERM)
        hurried = asyncio.create_task(hurry.wait())
        await asyncio.wait({keeping, hurried}, timeout=self.spec.grace, return_when=asyncio.FIRST_COMPLETED)
        if hurried.done():
            await asyncio.wait({keeping}, timeout=HURRIED_GRACE)
        hurried.cancel()
        self._signal(signal.SIGKILL)
        await asyncio.wait({keeping})

    def not_ready(self, reason: str) -> ProcessNotReady:
        """The error that shows why the process is not there."""
        return ProcessNotReady(self.spec.name, reason, str(self.spec.log or ""), tail(self.spec.log))

    async def _live(self) -> int:
        """One life of the process; gives its return code."""
        reader, writer = os.pipe() if self.spec.ready is Ready.DESCRIPTOR else (None, None)
        launch = prepare(self.spec, self._inherited, writer)
        try:
            with launch.log:
                self._process = await asyncio.create_subprocess_exec(*launch.argv, **launch.options)
        finally:
            if writer is not None:
                os.close(writer)
        self._starts += 1
        self._tell("starting")
        if self._stopping.is_set():
            self._signal(signal.SIGKILL)
        watching = asyncio.create_task(self._watch(reader))
        try:
            return await self._process.wait()
        finally:
            self._process = None
            watching.cancel()
            with suppress(asyncio.CancelledError):
                await watching
            if reader is not None:
                os.close(reader)

    async def _watch(self, reader: int | None) -> None:
        """See the process become ready."""
        if reader is None:
            while not answers(self.spec):  # noqa: ASYNC110 - a server that starts has nothing to wait for but this
                await asyncio.sleep(RETRY)
        elif not await read_byte(reader):
            return  # it died, which `_live` sees
        self._tell("running")
        self.ready.set()

    def _signal(self, number: int) -> None:
        if self._process is not None and self._process.returncode is None:
            with suppress(ProcessLookupError):
                self._process.send_signal(number)

    def _tell(self, state: str) -> None:
        self._state = state
        self._changed()


async def read_byte(descriptor: int) -> bool:
    """Whether a byte comes before the other end closes."""
    loop = asyncio.get_running_loop()
    readable = asyncio.Event()
    loop.add_reader(descriptor, readable.set)
    try:
        await readable.wait()
        return bool(os.read(descriptor, 1))
    finally:
        loop.remove_reader(descriptor)
