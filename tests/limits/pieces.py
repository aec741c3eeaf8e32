"""A system in pieces: the processes of an embedded stack without what starts them again when they end."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lightflow.config import Config
from lightflow.local.stack import Servers
from lightflow.local.stack.options import StackOptions
from lightflow.local.stack.places import Places
from lightflow.local.stack.serve import plan
from lightflow.runtime.services import inherited
from lightflow.runtime.supervision.processes import ProcessSpec, prepare


@dataclass(frozen=True)
class Pieces:
    """The servers, and where a client and a configuration are found."""

    servers: Servers
    target: str
    config: Config


@contextmanager
def in_pieces(workflows: Path) -> Iterator[Pieces]:
    """A redis, a mongod and one of each service, in a folder that is gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="lf-", dir="/tmp"))
    places = Places.of(folder)
    places.create()
    services, *_ = plan(StackOptions(str(folder), (str(workflows),), 2), places)
    servers, running = Servers(places), []
    try:
        servers.start("redis", "mongod")
        running = [_start(service) for service in services]
        for process, ready in running:
            with os.fdopen(ready, "rb") as told:
                assert told.read(1), f"{process.args} did not come up"
        yield Pieces(servers, f"unix:{places.control_socket()}", Config.from_file(str(places.config)))
    finally:
        for process, _ in running:
            process.terminate()
        for process, _ in running:
            process.wait()
        servers.stop("redis", "mongod")
        shutil.rmtree(folder)
        shutil.rmtree(places.sockets)


def _start(spec: ProcessSpec) -> tuple["subprocess.Popen[bytes]", int]:
    reader, writer = os.pipe()
    launch = prepare(spec, inherited(os.environ), writer)
    with launch.log:
        process = subprocess.Popen(launch.argv, **launch.options)
    os.close(writer)
    return process, reader
