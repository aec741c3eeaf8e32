"""What the process that holds a stack together does, from the lock to the last socket."""

import asyncio
import os
import shutil
import signal
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from lightflow.config import Config
from lightflow.local.stack import configuration, record
from lightflow.local.stack.options import StackOptions
from lightflow.local.stack.places import Places
from lightflow.local.stack.record import StackInfo
from lightflow.local.stack.servers import server_specs
from lightflow.local.stack.services import service_specs, targets
from lightflow.runtime.services import inherited
from lightflow.runtime.supervision.living import birth, is_alive
from lightflow.runtime.supervision.processes import ProcessSpec
from lightflow.runtime.supervision.supervisor import Supervisor

Stages = tuple[tuple[ProcessSpec, ...], ...]


def plan(options: StackOptions, places: Places) -> Stages:
    """What a stack runs, in the order in which it ends; writes its configuration. Raises what a person has to mend."""
    configuration.write(
        configuration.merge(configuration.read_own(options.config), options, places, Path.cwd()), places
    )
    redis, mongod = server_specs(places)
    grace = Config.from_file(str(places.config)).engine["shutdown_grace"]
    return service_specs(places, options, grace), (mongod,), (redis,)


def serve(
    options: StackOptions,
    on_ready: Callable[[StackInfo], None],
    *,
    on_stop: Callable[[], None] = lambda: None,
    plan: Callable[[StackOptions, Places], Stages] = plan,
    lifeline: int | None = None,
) -> None:
    """Hold a stack together until SIGTERM or SIGINT; a second one, or SIGQUIT, hastens the end.

    With a `lifeline`, the end of that descriptor's other side ends the stack too. Raises StackRunning, ProcessNotReady.
    """
    options.check()
    places = Places.of(Path(options.data_dir))
    places.create()
    with record.locked(places):
        end_leftovers(places)
        try:
            host = _Host(options, places, plan(options, places), on_stop)
            asyncio.run(host.run(on_ready, lifeline))
        finally:
            places.state.unlink(missing_ok=True)
            shutil.rmtree(places.sockets)


def end_leftovers(places: Places) -> None:
    """End what a supervisor that was killed left, where the kernel did not: with the lock held nobody else owns it."""
    before = record.read(places.state)
    for process in before.processes if before else ():
        if process.pid is not None and is_alive(process.pid, process.born):
            with suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)


class _Host:
    """A supervisor, its record in the data dir, and the signals that end it."""

    def __init__(self, options: StackOptions, places: Places, stages: Stages, on_stop: Callable[[], None]) -> None:
        self._on_stop = on_stop
        self._places = places
        self._targets = targets(places, options)
        self._state = "starting"
        self._started_at = datetime.now(UTC).isoformat(timespec="milliseconds")
        self._supervisor = Supervisor(stages, inherited(os.environ), self._write)

    @property
    def info(self) -> StackInfo:
        return StackInfo(
            pid=os.getpid(),
            born=birth(os.getpid()),
            state=self._state,
            data_dir=str(self._places.data_dir),
            target=self._targets[0],
            targets=self._targets,
            sockets=str(self._places.sockets),
            config=str(self._places.config),
            started_at=self._started_at,
            processes=self._supervisor.processes,
        )

    async def run(self, on_ready: Callable[[StackInfo], None], lifeline: int | None) -> None:
        """Run the stack until somebody ends it."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            loop.add_signal_handler(number, self._stop)
        loop.add_signal_handler(signal.SIGQUIT, self._stop_now)
        if lifeline is not None:
            loop.add_reader(lifeline, self._lifeline_cut, lifeline)
        self._write()
        await self._supervisor.run(lambda: self._ready(on_ready))

    def _ready(self, on_ready: Callable[[StackInfo], None]) -> None:
        self._state = "running"
        self._write()
        on_ready(self.info)

    def _stop(self) -> None:
        if self._supervisor.stop.is_set():
            self._supervisor.hurry.set()
            return
        self._state = "stopping"
        self._supervisor.stop.set()
        self._on_stop()

    def _stop_now(self) -> None:
        self._supervisor.hurry.set()
        self._stop()

    def _lifeline_cut(self, lifeline: int) -> None:
        asyncio.get_running_loop().remove_reader(lifeline)
        self._stop_now()

    def _write(self) -> None:
        record.write(self._places.state, self.info)
