"""The two servers alone, for as long as a block lasts: what tests of adapters and of recovery stand on."""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, Self

from lightflow.local.stack import servers
from lightflow.local.stack.places import Places
from lightflow.runtime.supervision.errors import ProcessNotReady
from lightflow.runtime.supervision.processes import ProcessSpec, answers, describe_exit, prepare, tail

Server = Literal["redis", "mongod"]
START_LIMIT = 60.0
RETRY = 0.01


class Servers:
    """A redis and a mongod of our own; each can be killed, stopped and started again by name."""

    def __init__(self, places: Places) -> None:
        self.places = places
        self.redis_url = servers.redis_url(places)
        self.broker_url = servers.broker_url(places)
        self.mongo_uri = servers.mongo_uri(places)
        self._specs = {spec.name: spec for spec in servers.server_specs(places)}
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    @classmethod
    @contextmanager
    def temporary(cls) -> Iterator[Self]:
        """Both servers in a folder that is gone afterwards; raises ProcessNotReady with the end of the log."""
        folder = Path(tempfile.mkdtemp(prefix="lf-", dir="/tmp"))  # a path short enough for sockets
        places = Places(folder, folder / "sockets")
        places.create()
        found = cls(places)
        try:
            found.start("redis", "mongod")
            yield found
        finally:
            found.stop("redis", "mongod")
            shutil.rmtree(folder)

    def start(self, *names: Server) -> None:
        """Start these servers, at once, and wait until they answer."""
        for name in names:
            launch = prepare(self._specs[name], os.environ)
            with launch.log:
                self._running[name] = subprocess.Popen(launch.argv, **launch.options)
        for name in names:
            wait_ready(self._specs[name], self._running[name])

    def kill(self, *names: Server) -> None:
        """End these servers as a crash would."""
        for name in names:
            process = self._running.pop(name)
            process.kill()
            process.wait()

    def stop(self, *names: Server) -> None:
        """End these servers cleanly; one that is not running is left alone."""
        stopping = [process for name in names if (process := self._running.pop(name, None))]
        for process in stopping:
            process.terminate()
        for process in stopping:
            process.wait()

    def restart(self, *names: Server) -> None:
        """Stop these servers and start them again, with what they had stored."""
        self.stop(*names)
        self.start(*names)

    def pid(self, name: Server) -> int:
        """The process id of a running server."""
        return self._running[name].pid


def wait_ready(spec: ProcessSpec, process: subprocess.Popen[bytes]) -> None:
    """Wait until a server answers; raises ProcessNotReady when it ends or takes too long."""
    deadline = time.monotonic() + START_LIMIT
    while not answers(spec):
        if (returncode := process.poll()) is not None:
            raise ProcessNotReady(spec.name, describe_exit(returncode), str(spec.log or ""), tail(spec.log))
        if time.monotonic() > deadline:
            raise ProcessNotReady(
                spec.name, f"did not answer in {START_LIMIT:g} s", str(spec.log or ""), tail(spec.log)
            )
        time.sleep(RETRY)  # a server that starts has nothing else to wait for
