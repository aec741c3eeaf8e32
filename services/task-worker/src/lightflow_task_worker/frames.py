"""Frames between a worker and its child processes: a JSON header and any number of raw parts.

On the wire: the lengths of header and parts, the header (its "parts" are the sizes of the parts), the parts.
"""

import asyncio
import json
import mmap
import socket
import struct
from collections.abc import Sequence
from typing import Any

Header = dict[str, Any]
Buffer = bytes | bytearray | memoryview
Frame = tuple[Header, list[memoryview]]

_PREFIX = struct.Struct("!IQ")
_SMALL = 1 << 16
_TURN = 1 << 22  # bytes after which a long transfer lets the rest of the loop have its turn


class PipeClosedError(EOFError):
    """The other side is gone."""


def pack(header: Header, parts: Sequence[Buffer]) -> list[Buffer]:
    """What to send, in order: one buffer for a small frame, large parts uncopied."""
    sizes = [len(part) for part in parts]
    text = json.dumps({**header, "parts": sizes}, separators=(",", ":")).encode()
    head = _PREFIX.pack(len(text), sum(sizes)) + text
    if sum(sizes) <= _SMALL:
        return [b"".join((head, *parts))]
    return [head, *parts]


class Inbox:
    """Bytes in, frames out, without I/O: read into `space()`, then say how much came with `filled()`."""

    def __init__(self) -> None:
        self._expect(_PREFIX.size)
        self._header_size: int | None = None

    def _expect(self, size: int) -> None:
        # Fresh pages are zeroed as they are filled; a bytearray would be zeroed at once, which takes its time.
        self._view = memoryview(mmap.mmap(-1, size) if size > _TURN else bytearray(size))
        self._count = 0

    def space(self) -> memoryview:
        """Where the next bytes belong: never more than what is missing of a frame, which may not be the last."""
        return self._view[self._count :]

    def filled(self, count: int) -> Frame | None:
        """The frame, once it is complete. Raises PipeClosedError for zero bytes."""
        if count == 0:
            raise PipeClosedError
        self._count += count
        if self._count < len(self._view):
            return None
        view, header_size = self._view, self._header_size
        if header_size is None:
            self._header_size, size = _PREFIX.unpack(view)
            self._expect(self._header_size + size)
            return None
        self._header_size = None
        self._expect(_PREFIX.size)
        return _unpack(view, header_size)


def _unpack(view: memoryview, start: int) -> Frame:
    header = json.loads(bytes(view[:start]))
    parts = []
    for size in header.pop("parts"):
        parts.append(view[start : start + size])
        start += size
    return header, parts


class BlockingPipe:
    """The child's end: synchronous."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._inbox = Inbox()

    def fileno(self) -> int:
        return self._socket.fileno()

    def send(self, header: Header, parts: Sequence[Buffer] = ()) -> None:
        for buffer in pack(header, parts):
            self._socket.sendall(buffer)

    def receive(self) -> Frame:
        """The next frame; raises PipeClosedError."""
        while (frame := self._inbox.filled(self._socket.recv_into(self._inbox.space()))) is None:
            pass
        return frame


class AsyncPipe:
    """The worker's end: for a running loop, which a long frame does not hold up."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self._socket = sock
        self._inbox = Inbox()
        self._sending = asyncio.Lock()

    async def send(self, header: Header, parts: Sequence[Buffer] = ()) -> None:
        """Send one frame; raises OSError when the child is gone."""
        loop = asyncio.get_running_loop()
        async with self._sending:
            for buffer in pack(header, parts):
                for start in range(0, len(buffer), _TURN):
                    await loop.sock_sendall(self._socket, memoryview(buffer)[start : start + _TURN])

    async def receive(self) -> Frame:
        """The next frame; raises PipeClosedError."""
        loop = asyncio.get_running_loop()
        since = 0
        while True:
            try:
                count = await loop.sock_recv_into(self._socket, self._inbox.space())
            except ConnectionError as error:
                raise PipeClosedError from error
            if (frame := self._inbox.filled(count)) is not None:
                return frame
            since += count
            if since >= _TURN:  # reading what is there already never yields by itself
                since = 0
                await asyncio.sleep(0)

    def close(self) -> None:
        self._socket.close()
