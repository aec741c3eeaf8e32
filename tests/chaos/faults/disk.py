"""The disk under the data dir is full for a while: servers may die of it, and are started again once there is room."""

import errno
import os
from pathlib import Path

from tests.chaos.faults.fault import ServerFault, Victim
from tests.chaos.system import System, Times

from lightflow.runtime.supervision.living import birth

FULL_FOR = 1.5


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
        for server in ("redis", "mongod"):
            if birth(system.servers.pid(server)) is None:
                system.servers.kill(server)
                system.start_servers(server)

    def _file(self, system: System) -> Path:
        return system.places.data_dir / "filler"


def _fill(file: int, size: int) -> None:
    """Take room in pieces of this size until there is none."""
    try:
        while True:
            os.posix_fallocate(file, os.fstat(file).st_size, size)
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
