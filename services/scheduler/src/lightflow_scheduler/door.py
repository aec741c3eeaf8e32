"""One port in front of all schedulers: `python -m lightflow_scheduler.door scheduler:50051`.

Where containers have names that mean all replicas, clients outside need one address that outlives each of them. A
connection is passed on as it is, to whichever replica takes it; when that one ends, the client's next connection
goes to another.
"""

import asyncio
import contextlib
import logging
import random
import signal
import socket
import sys

CONNECT_SECONDS = 2.0
CHUNK = 1 << 16

logger = logging.getLogger(__name__)
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def connected(host: str, port: int) -> Streams:
    """A connection to a replica, the first of the addresses behind the name that takes one; else OSError."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    places = list({place[:2] for *_, place in found})
    random.shuffle(places)
    for place in places:
        with contextlib.suppress(OSError, TimeoutError):
            return await asyncio.wait_for(asyncio.open_connection(*place), CONNECT_SECONDS)
    raise OSError(f"none of {len(places)} addresses of {host} takes a connection at port {port}")


async def _pass(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):  # an end that is gone ends both
        while data := await source.read(CHUNK):
            target.write(data)
            await target.drain()
    target.close()


class Door:
    """Passes connections on to a scheduler."""

    def __init__(self, host: str, port: int) -> None:
        self._host, self._port = host, port

    async def admit(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one client until it or its scheduler leaves."""
        try:
            answers, requests = await connected(self._host, self._port)
        except OSError as error:
            logger.warning("a client was turned away: %s", error)
            writer.close()
            return
        await asyncio.gather(_pass(reader, requests), _pass(answers, writer))


async def serve(host: str, port: int) -> None:
    """Listen on the same port until SIGTERM or SIGINT."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    server = await asyncio.start_server(Door(host, port).admit, port=port)
    await stop.wait()
    server.close()  # connections that are open end with this process


def main(arguments: list[str]) -> int:
    logging.basicConfig(format="%(asctime)s %(levelname)-7s %(name)s: %(message)s", datefmt="%H:%M:%S")
    host, _, port = "".join(arguments[:1]).rpartition(":")
    if len(arguments) != 1 or not host or not port.isdigit():
        sys.stderr.write("door: name what is behind it as host:port\n")
        return 2
    asyncio.run(serve(host, int(port)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
