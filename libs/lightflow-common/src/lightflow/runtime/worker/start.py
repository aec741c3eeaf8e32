"""Runs a worker in the foreground: its services write where this process does."""

import asyncio
import json
import os
import signal
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from lightflow.core.settings import Settings
from lightflow.runtime.mongo import store_uri
from lightflow.runtime.services import inherited
from lightflow.runtime.supervision.supervisor import Supervisor
from lightflow.runtime.worker import arguments, plan
from lightflow.runtime.worker.places import taken
from lightflow.runtime.worker.reach import check_servers

if TYPE_CHECKING:
    from lightflow.config import Config

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def serve(
    queues: Sequence[str],
    config: "Config",
    *,
    name: str | None = None,
    celery_args: Sequence[str] = (),
    check_datastore: bool = True,
    on_ready: Callable[[str], None] = lambda name: None,
    on_stop: Callable[[], None] = lambda: None,
) -> None:
    """Serve these queues until a signal or `stop_worker`; a second signal hastens the end. `on_ready` gets the name.

    Raises WorkerArgumentInvalid, WorkerNameTaken, ServiceUnavailable, and ProcessNotReady.
    """
    choices = arguments.parse(celery_args)
    check_servers(config, store=check_datastore)
    system = f"{store_uri(config)} {config.data_store.get('database')}"
    with taken(name or choices.name or config.engine["worker_name"], system) as place:
        _write(plan.configuration(config.to_dict(), place.name, choices), place.config)
        specs = plan.processes(queues, place.config, config.engine["shutdown_grace"])
        supervisor = Supervisor([specs], inherited(os.environ), lambda: None)
        asyncio.run(_run(supervisor, lambda: on_ready(place.name), on_stop))


async def _run(supervisor: Supervisor, on_ready: Callable[[], None], on_stop: Callable[[], None]) -> None:
    def stop() -> None:
        if supervisor.stop.is_set():
            supervisor.hurry.set()
            return
        supervisor.stop.set()
        on_stop()

    if threading.current_thread() is threading.main_thread():  # only there signals can be handled
        for number in SIGNALS:
            asyncio.get_running_loop().add_signal_handler(number, stop)
    await supervisor.run(on_ready)


def _write(tree: Settings, path: Path) -> None:
    """Write the configuration, which may hold passwords, for nobody else to read. JSON is YAML."""
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump(tree, file, default=str)
