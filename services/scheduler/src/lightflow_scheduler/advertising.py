"""Under which addresses others reach a control service: what stands in MongoDB must mean the same on any host."""

import asyncio
import os
import socket
from collections.abc import Sequence

from lightflow.runtime.mongo import Database

EVERYWHERE = frozenset({"0.0.0.0", "[::]", "::"})  # noqa: S104 (told apart here, listened on by nobody)
LOCAL = "127.0.0.1"


def named(address: str, advertise: str) -> str:
    """The address under the host, or the host and port, that the configuration names."""
    expanded = os.path.expandvars(advertise)
    host, _, port = expanded.rpartition(":")
    has_port = bool(host) and port.isdigit() and (":" not in host or host.endswith("]"))
    return expanded if has_port else f"{expanded}:{address.rpartition(':')[2]}"


async def advertised(bound: Sequence[str], advertise: str | None, db: Database) -> tuple[str, ...]:
    """What to register for addresses that were bound; a socket's path stays what it is."""
    found = []
    for address in bound:
        host, _, port = address.rpartition(":")
        if address.startswith("unix:"):
            found.append(address)
        elif advertise:
            found.append(named(address, advertise))
        else:
            found.append(f"{await _own(db)}:{port}" if host in EVERYWHERE else address)
    return tuple(found)


async def _own(db: Database) -> str:
    """The address from which this host reaches MongoDB: who reaches MongoDB as well is likely to reach it."""
    server = await db.client.address
    if server is None or server[1] is None:  # by a unix socket: all of this system is on one host
        return LOCAL
    return await asyncio.to_thread(_towards, server[0], server[1])


def _towards(host: str, port: int) -> str:
    """The address of this host that packets to another would come from; none is sent."""
    family, kind, _, _, place = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
    with socket.socket(family, kind) as probe:
        probe.connect(place)
        own = str(probe.getsockname()[0])
    return f"[{own}]" if ":" in own else own
