"""Where a control service is: what was named, then a living stack, the store's entries, and the default port.

An address is `host:port` or `unix:/path`, as gRPC writes it.
"""

import json
import os
import socket
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from lightflow.core.errors import NoControlService, ServiceUnavailable
from lightflow.core.secrecy import masked

if TYPE_CHECKING:
    from lightflow.config import Config
    from lightflow.runtime.mongo import Database

TARGET_ENV = "LIGHTFLOW_TARGET"
STACK_FILE = "stack.json"
DEFAULT_TARGET = "127.0.0.1:50051"
DEFAULT_STORE = "127.0.0.1:27017"
_PROBE_SECONDS = 1.0
_STORE = "registered in the store"

Source = tuple[str, Callable[[], Iterable[str]]]
"""A place that may know addresses: what a person calls it, and how to ask it."""


def find_target(target: str | None = None, config: "Config | None" = None, data_dir: Path | None = None) -> str:
    """The address of a control service.

    One that was named is taken as it is; of the others the first that takes a connection. Raises NoControlService,
    which names what was tried.
    """
    named = target or os.environ.get(TARGET_ENV) or (config.control.get("target") if config else None)
    if named:
        return str(named)
    tried: list[str] = []
    for place, ask in _sources(config, data_dir):
        try:
            found = list(ask())
        except ServiceUnavailable as error:  # that there is no store to ask may be why nothing else answers
            tried.append(str(error))
            continue
        tried += [f"{address} ({place})" for address in found] or [f"{place}: none"]
        for address in found:
            if answers(address):
                return address
        if place == _STORE and not found:
            break  # this system has no control service: what listens at the default port is another one's
    raise NoControlService(tuple(tried))


async def registered_targets(database: "Database") -> list[str]:
    """The addresses under which control services have registered: those of living processes first, newest first."""
    found = database["control"].find({}, {"incarnation": 1}).sort("started_at", -1)
    entries = [(str(entry["_id"]), entry.get("incarnation")) async for entry in found]
    known = {"_id": {"$in": [incarnation for _, incarnation in entries]}, "dead": {"$exists": False}}
    living = set(await database["workers"].distinct("_id", known)) if len(entries) > 1 else set()
    return [address for address, _ in sorted(entries, key=lambda entry: entry[1] not in living)]


def answers(address: str) -> bool:
    """Whether something takes connections at an address; one of a scheme that only gRPC knows is taken on trust."""
    family, place = _socket_of(address)
    if family is None:
        return True
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.settimeout(_PROBE_SECONDS)
        try:
            probe.connect(place)
        except OSError:
            return False
    return True


def _sources(config: "Config | None", data_dir: Path | None) -> Iterable[Source]:
    if data_dir is not None:
        yield f"the stack of {data_dir}", lambda: _of_stack(data_dir)
    # It may be another's system: the store that is ours tells. Without one there is nothing that it could tell.
    if config is None and answers(DEFAULT_TARGET) and answers(DEFAULT_STORE):
        from lightflow.config import Config

        config = Config.from_file(None, strict=False)
    if config is not None:
        yield _STORE, lambda: _of_store(config)
    yield "the default port", lambda: [_default(config)]


def _default(config: "Config | None") -> str:
    control = config.control if config else {}
    host, port = DEFAULT_TARGET.split(":")
    return f"{control.get('host') or host}:{control.get('port') or port}"


def _of_stack(data_dir: Path) -> list[str]:
    try:
        return [json.loads((data_dir / STACK_FILE).read_text())["target"]]
    except (OSError, ValueError, KeyError, TypeError):
        return []  # no stack was brought up here, or it is being brought up or down right now


def _of_store(config: "Config") -> list[str]:
    from pymongo import MongoClient
    from pymongo.errors import PyMongoError

    from lightflow.runtime.mongo import Document, reason, store_uri

    limits: Document = {"serverSelectionTimeoutMS": 500, "connectTimeoutMS": 500, "socketTimeoutMS": 2000}
    try:
        with MongoClient[Document](store_uri(config), **limits) as client:
            entries = client[config.data_store.get("database") or "lightflow"]["control"]
            return [str(entry["_id"]) for entry in entries.find({}, {"_id": 1}).sort("started_at", -1).limit(20)]
    except (PyMongoError, ValueError) as error:  # ValueError: an address that cannot be taken apart
        raise ServiceUnavailable(f"the store at {masked(store_uri(config))}", reason(error)) from None


def _socket_of(address: str) -> tuple[socket.AddressFamily | None, str | tuple[str, int]]:
    if address.startswith("unix:"):
        return socket.AF_UNIX, address.removeprefix("unix:").replace("///", "/", 1)
    host, _, port = address.rpartition(":")
    if not port.isdigit() or "/" in host:
        return None, address
    host = host.strip("[]")
    return (socket.AF_INET6 if ":" in host else socket.AF_INET), (host, int(port))
