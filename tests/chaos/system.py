"""The system under test: the embedded stack with two of each service, made so that each part can be taken away.

The servers and the services are started by the command lines of the embedded stack. The services have its supervisor;
the servers are started again by whoever took them away, so that an outage lasts as long as it is meant to.
"""

import asyncio
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from itertools import count
from pathlib import Path
from typing import Any

from pymongo import MongoClient
from redis import Redis
from tests.chaos.expected import prepare
from tests.chaos.flows.workload import OWN_QUEUE

from lightflow.config import Config
from lightflow.local.stack import Servers
from lightflow.local.stack.options import StackOptions
from lightflow.local.stack.places import Places
from lightflow.local.stack.serve import plan
from lightflow.runtime.failpoints import SWITCH
from lightflow.runtime.mongo import store_uri
from lightflow.runtime.rpc.client import ControlClient
from lightflow.runtime.services import inherited
from lightflow.runtime.supervision.supervisor import Supervisor

SERVICES = ("scheduler", "dag-runner", "task-worker")
DISK = "1g"
"""Size of the data dir, where it can have a file system of its own."""


@dataclass(frozen=True)
class Times:
    """The engine's times, in seconds, and those of the faults that depend on them.

    With `patience` over, what was owed is taken for lost, and a run that has not ended for stuck.
    """

    lease_interval: float
    lease_timeout: float
    self_fence: float
    sweep_interval: float
    max_losses: int
    short_pause: float
    long_pause: float
    outage: float
    patience: float = 90.0

    @property
    def settings(self) -> dict[str, float]:
        """What goes into the configuration."""
        names = ("lease_interval", "lease_timeout", "self_fence", "sweep_interval", "max_losses")
        return {name: value for name, value in asdict(self).items() if name in names}


SHORT = Times(0.3, 2.0, 1.5, 0.5, 1000, short_pause=1.0, long_pause=4.0, outage=0.5)
REAL = Times(3.0, 30.0, 25.0, 5.0, 10, short_pause=5.0, long_pause=60.0, outage=15.0)


class System:
    """A running system. `folder` holds the workflow files and the ledger; the data dir may lie elsewhere.

    `stops` are the runs that were stopped, and when that was answered; `strike` is the file of the failpoints.
    """

    def __init__(self, folder: Path, data_dir: Path, times: Times, more: Mapping[str, str]) -> None:
        self.folder, self.times = folder, times
        self.stops: dict[str, float] = {}
        self.strike = folder / "strike"
        self.flows = prepare(folder / "flows")
        self.disk_limited = False
        config = folder / "lightflow.cfg"
        engine = "".join(f"  {name}: {value}\n" for name, value in times.settings.items())
        config.write_text(f"engine:\n{engine}")
        self.options = StackOptions(
            str(data_dir), (str(self.flows),), 2, dict.fromkeys(SERVICES, 2), {"dag-runner": (OWN_QUEUE,)}, str(config)
        )
        self.places = Places.of(data_dir)
        self.places.create()
        services, _, _ = plan(self.options, self.places)
        self._environments = {spec.name: {**spec.environment, SWITCH: str(self.strike), **more} for spec in services}
        self._hosts = count(1)
        self.services = tuple(replace(spec, environment=self._environments[spec.name]) for spec in services)
        self.config = Config.from_file(str(self.places.config))
        self.servers = Servers(self.places)
        # A server dies with the thread that started it: this one lives as long as the system.
        self._starter = ThreadPoolExecutor(1, "starter")
        self.supervisor = Supervisor([self.services], inherited(os.environ), lambda: None)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._serve, name="supervisor")
        self._ready = threading.Event()
        self._failure: BaseException | None = None
        self.mongo: MongoClient[dict[str, Any]] = MongoClient(
            store_uri(self.config), serverSelectionTimeoutMS=500, connectTimeoutMS=500, tz_aware=True, retryReads=False
        )
        self.db = self.mongo["lightflow"]
        self.targets = tuple(f"unix:{self.places.control_socket(number)}" for number in (1, 2))

    def start(self) -> None:
        """Bring everything up."""
        self.start_servers("redis", "mongod")
        self._thread.start()
        self._ready.wait()
        if self._failure is not None:
            raise self._failure

    def stop(self) -> None:
        """Bring everything down."""
        if self._loop is not None and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self.supervisor.stop.set)
            self._thread.join()
        self.mongo.close()
        self._starter.submit(self.servers.stop, "redis", "mongod").result()
        self._starter.shutdown()

    def start_servers(self, *names: Any) -> None:
        """Start these servers, and wait until they answer."""
        self._starter.submit(self.servers.start, *names).result()

    def pid(self, name: str) -> int | None:
        """The process id of a service process, None while it is being restarted."""
        return {process.name: process.pid for process in self.supervisor.processes}[name]

    def rename(self, name: str) -> None:
        """Have a service process come back as another worker, as on another host, once it has died."""
        self._environments[name]["LIGHTFLOW_ENGINE_WORKER_NAME"] = f"{name}-of-host-{next(self._hosts)}"

    def pids(self) -> list[int]:
        """The process ids of the services and of MongoDB, as far as they are up."""
        found = [process.pid for process in self.supervisor.processes]
        with suppress(KeyError):  # it was taken away
            found.append(self.servers.pid("mongod"))
        return [pid for pid in found if pid is not None]

    @property
    def mark(self) -> bytes:
        """What the environment of every process of the system has, and that of no other."""
        return f"LIGHTFLOW_DATA_DIR={self.places.data_dir}".encode()

    def redis(self) -> Redis:
        """A client of the redis server."""
        return Redis.from_url(self.servers.redis_url, socket_timeout=5)

    def control(self, number: int) -> ControlClient:
        """A client of one of the control services."""
        return ControlClient(self.targets[number % len(self.targets)])

    def _serve(self) -> None:
        try:
            asyncio.run(self._supervise())
        except BaseException as error:
            self._failure = error
        finally:
            self._ready.set()

    async def _supervise(self) -> None:
        self._loop = asyncio.get_running_loop()
        await self.supervisor.run(self._ready.set)


def is_of(pid: int, mark: bytes) -> bool:
    """Whether a process lives and has this in its environment: its number may have become another's."""
    try:
        return mark in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return False


@contextmanager
def running(folder: Path, times: Times, more: Mapping[str, str]) -> Iterator[System]:
    """A system in this folder, with `more` in its services' environment; it is ended, and the folder stays."""
    with _disk(folder / "data") as limited:
        system = System(folder, folder / "data", times, more)
        system.disk_limited = limited
        try:
            system.start()
            yield system
        finally:
            system.stop()
            shutil.copytree(system.places.logs, folder / "logs")


def planted(bug: str) -> Iterator[tuple[str, str]]:
    """What services need in their environment to begin with a bug."""
    here = Path(__file__).parent
    yield "CHAOS_PLANT", bug
    yield "PYTHONPATH", os.pathsep.join(map(str, (here / "planting", here.parents[1])))


@contextmanager
def _disk(data_dir: Path) -> Iterator[bool]:
    """A file system of its own for the data dir, where that is permitted; whether it is."""
    data_dir.mkdir(parents=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK},mode=700", "tmpfs", str(data_dir)]
    limited = subprocess.run(mount, capture_output=True, check=False).returncode == 0
    try:
        yield limited
    finally:
        if limited:
            # What was killed a moment ago may still be on its way out of it; who stays is found by the auditor.
            subprocess.run(["umount", "--lazy", str(data_dir)], check=True)
