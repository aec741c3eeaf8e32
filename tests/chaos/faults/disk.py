"""The disk under the data dir is full for a while: servers may die of it, and are started again once there is room."""

import errno
import os
import time
from contextlib import suppress
from pathlib import Path

from pymongo import WriteConcern
from pymongo.errors import PyMongoError
from redis.exceptions import RedisError
from tests.chaos.faults.fault import ServerFault, Victim
from tests.chaos.system import System, Times

from lightflow.runtime.queues import MARKER
from lightflow.runtime.supervision.living import birth

FULL_FOR = 1.5
WRITES_WITHIN = 60.0
"""Seconds in which the servers must be back once there is room."""


class DiskFull(ServerFault):
    """A file takes all the room there is."""

    name = "disk full"
    explains = ("lost",)

    def why_not(self, system: System) -> str | None:
        return None if system.disk_limited else "a file system of its own cannot be mounted here"

    def lasts(self, times: Times) -> float:
        return FULL_FOR

    def begin(self, system: System, victim: Victim) -> None:
        with self._file(system).open("wb") as file:
            for size in (1 << 24, 1 << 16, 1 << 12):
                _fill(file.fileno(), size)

    def end(self, system: System, victim: Victim) -> None:
        self._file(system).unlink()
        deadline = time.monotonic() + WRITES_WITHIN
        while not _writes(system):
            # What the full disk has broken may take its time to die.
            for server in ("redis", "mongod"):
                if birth(system.servers.pid(server)) is None:
                    system.servers.kill(server)
                    system.start_servers(server)
            assert time.monotonic() < deadline, "a server neither writes nor dies although there is room again"
            time.sleep(0.1)

    def _file(self, system: System) -> Path:
        return system.places.data_dir / "filler"


def _writes(system: System) -> bool:
    """Whether both servers live and take writes."""
    with suppress(PyMongoError, RedisError), system.redis() as redis:
        redis.set(MARKER, "1", xx=True)  # changes nothing, and is refused while it cannot be kept
        probe = system.mongo["chaos"].get_collection("probe", write_concern=WriteConcern(w=1, j=True))
        probe.update_one({"_id": 0}, {"$inc": {"writes": 1}}, upsert=True)
        return all(birth(system.servers.pid(server)) is not None for server in ("redis", "mongod"))
    return False


def _fill(file: int, size: int) -> None:
    """Take room in pieces of this size until there is none."""
    try:
        while True:
            os.posix_fallocate(file, os.fstat(file).st_size, size)
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
