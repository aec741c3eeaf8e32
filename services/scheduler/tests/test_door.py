import asyncio
import contextlib

import pytest

from lightflow_scheduler import door
from lightflow_scheduler.door import Door, main


async def echo(reader, writer):
    while data := await reader.read(100):
        writer.write(data.upper())
        await writer.drain()
    writer.close()


@contextlib.asynccontextmanager
async def serving(handle):
    async with await asyncio.start_server(handle, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]


async def test_a_connection_is_passed_on_both_ways_until_the_client_leaves():
    async with serving(echo) as behind, serving(Door("127.0.0.1", behind).admit) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for word in (b"one", b"two"):
            writer.write(word)
            assert await reader.readexactly(3) == word.upper()
        writer.write_eof()
        assert await reader.read() == b""
        writer.close()


async def test_a_client_is_turned_away_where_nobody_is_behind():
    async with serving(Door("127.0.0.1", 1).admit) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        assert await reader.read() == b""
        writer.close()


async def test_an_address_that_takes_no_connection_is_passed_over(monkeypatch):
    async with serving(echo) as port:
        loop = asyncio.get_running_loop()

        async def both(host, port_, **_):
            return [(0, 0, 0, "", (place, port_)) for place in ("127.0.0.2", "127.0.0.1")]

        monkeypatch.setattr(loop, "getaddrinfo", both)
        monkeypatch.setattr(door.random, "shuffle", lambda places: places.sort(reverse=True))
        _, writer = await door.connected("127.0.0.1", port)
        assert writer.get_extra_info("peername") == ("127.0.0.1", port)
        writer.close()


@pytest.mark.parametrize("arguments", [[], ["scheduler"], ["a:1", "b:2"]])
def test_what_is_behind_must_be_named(arguments, capsys):
    assert main(arguments) == 2
    assert "host:port" in capsys.readouterr().err
