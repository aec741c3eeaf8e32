"""The gRPC server: addresses, health, reflection, and the one interceptor that turns errors into answers."""

import logging
import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from lightflow.control.v1 import control_pb2, control_pb2_grpc
from lightflow.core.errors import ServiceUnavailable
from lightflow.runtime.rpc.guard import Guard
from lightflow.runtime.rpc.options import server_options
from lightflow.runtime.rpc.targets import answers

logger = logging.getLogger(__name__)

SERVICE = control_pb2.DESCRIPTOR.services_by_name["ControlService"].full_name


@dataclass(frozen=True, slots=True)
class Server:
    """A control service that answers; `addresses` are those it really has."""

    grpc: grpc.aio.Server
    health: Any
    addresses: tuple[str, ...]

    async def stop(self, grace: float = 2.0) -> None:
        """Answer no new calls, end open ones after `grace` seconds, and leave no socket behind."""
        await self.health.enter_graceful_shutdown()
        await self.grpc.stop(grace)
        for address in self.addresses:
            if address.startswith("unix:"):
                _socket_file(address).unlink(missing_ok=True)


async def start_server(
    servicer: control_pb2_grpc.ControlServiceServicer,
    addresses: Sequence[str],
    *,
    credentials: grpc.ServerCredentials | None = None,
    interceptors: Sequence[grpc.aio.ServerInterceptor] = (),
    translate: Callable[[Exception], Exception] = lambda error: error,
) -> Server:
    """Serve at `unix:/path` and `host:port` addresses; where a port is taken, a free one of that host is used.

    `credentials` make the ports TLS ones; `interceptors` come before the calls are made (tokens are checked there);
    `translate` gives errors of what the servicer stands on (MongoDB, redis) a class of ours.
    """
    server = grpc.aio.server(interceptors=[Guard(translate), *interceptors], options=server_options())
    control_pb2_grpc.add_ControlServiceServicer_to_server(servicer, server)  # type: ignore[no-untyped-call]
    checks = health.aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(checks, server)
    names = (SERVICE, health.SERVICE_NAME, reflection.SERVICE_NAME)
    reflection.enable_server_reflection(names, server)
    bound = tuple(_bind(server, address, credentials) for address in addresses)
    await server.start()
    for name in ("", SERVICE):
        await checks.set(name, health_pb2.HealthCheckResponse.SERVING)
    return Server(server, checks, bound)


def _bind(server: grpc.aio.Server, address: str, credentials: grpc.ServerCredentials | None) -> str:
    if address.startswith("unix:"):
        _refuse_taken(address)
        _add_port(server, address, credentials)
        return address
    host, _, port = address.rpartition(":")
    if not answers(address):  # gRPC complains on stderr of a port that is taken
        with suppress(ServiceUnavailable):
            return f"{host}:{_add_port(server, address, credentials)}"
    free = _add_port(server, f"{host}:0", credentials)
    logger.warning("port %s of %s is taken; the control service listens on port %d", port, host, free)
    return f"{host}:{free}"


def _add_port(server: grpc.aio.Server, address: str, credentials: grpc.ServerCredentials | None) -> int:
    try:
        if credentials is None or address.startswith("unix:"):
            port = int(server.add_insecure_port(address))
        else:
            port = int(server.add_secure_port(address, credentials))
    except RuntimeError as error:
        raise ServiceUnavailable(f"The address {address}", _cause(error)) from error
    return port


def _cause(error: RuntimeError) -> str:
    found = re.search(r"(Address already in use|Permission denied|[A-Z][a-z]+ or directory[a-z ]*)", str(error))
    return found[0] if found else str(error)


def _refuse_taken(address: str) -> None:
    """gRPC replaces a socket file without asking: right for one that a killed server left, wrong for a living one."""
    if _socket_file(address).is_socket() and answers(address):
        raise ServiceUnavailable(f"The address {address}", "another server answers there")


def _socket_file(address: str) -> Path:
    return Path(address.removeprefix("unix:"))
