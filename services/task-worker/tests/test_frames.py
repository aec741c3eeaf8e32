import asyncio
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightflow_task_worker.frames import AsyncPipe, BlockingPipe, Inbox, PipeClosedError, pack

HEADERS = st.dictionaries(st.sampled_from(["a", "key", "ü"]), st.integers() | st.text(), max_size=3)
FRAMES = st.lists(st.tuples(HEADERS, st.lists(st.binary(max_size=50), max_size=3)), min_size=1, max_size=3)


@given(FRAMES, st.data())
def test_frames_come_out_as_they_went_in_however_the_bytes_arrive(frames, data):
    stream = b"".join(bytes(piece) for header, parts in frames for piece in pack(header, parts))
    inbox, received = Inbox(), []
    while stream:
        space = inbox.space()
        count = data.draw(st.integers(1, min(len(space), len(stream))))
        space[:count], stream = stream[:count], stream[count:]
        if (frame := inbox.filled(count)) is not None:
            received.append((frame[0], [bytes(part) for part in frame[1]]))
    assert received == [(header, parts) for header, parts in frames]


def test_a_large_part_is_sent_without_a_copy():
    part = bytes(1_000_000)
    assert any(piece is part for piece in pack({}, [part]))


async def test_two_frames_that_arrive_together_are_told_apart():
    ours, theirs = socket.socketpair()
    child, worker = BlockingPipe(theirs), AsyncPipe(ours)
    await worker.send({"n": 1}, [b"a"])
    await worker.send({"n": 2}, [b"b", b""])
    assert child.receive() == ({"n": 1}, [b"a"])
    assert child.receive() == ({"n": 2}, [b"b", b""])
    theirs.close()
    with pytest.raises(PipeClosedError):
        await worker.receive()
    worker.close()


async def test_long_frames_pass_both_ways_at_once():
    ours, theirs = socket.socketpair()
    child, worker = BlockingPipe(theirs), AsyncPipe(ours)
    large = bytes(20_000_000)
    sending = asyncio.create_task(worker.send({}, [large]))
    answering = asyncio.create_task(asyncio.to_thread(lambda: (child.send({}, [large]), child.receive())))
    _, (received,) = await worker.receive()
    await sending
    await answering
    assert len(received) == len(large)
    worker.close()
    theirs.close()
