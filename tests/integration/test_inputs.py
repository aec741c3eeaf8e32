"""A worker reads a shared input once, and forgets the oldest where there is no room."""

import asyncio

import pytest

from lightflow.core.errors import PayloadForged
from lightflow.runtime.payloads import Payloads
from lightflow.runtime.signing import Signer
from lightflow_task_worker.inputs import Inputs

LARGE = b"x" * 200_000


class Counting:
    """Payloads that count what is read."""

    def __init__(self, payloads):
        self._payloads = payloads
        self.loads = 0

    async def load(self, field):
        self.loads += 1
        return await self._payloads.load(field)


@pytest.fixture
def payloads(db):
    return Payloads(db, Signer(b"k" * 32))


async def test_a_large_output_that_many_tasks_take_is_read_once(payloads):
    field, counting = await payloads.save(LARGE, "run"), Counting(payloads)
    inputs = Inputs(counting)
    found = await asyncio.gather(*(inputs.load([field, None]) for _ in range(50)))
    assert found == [[LARGE, None]] * 50
    assert counting.loads == 1


async def test_inputs_longest_unused_are_forgotten_where_there_is_no_room(payloads):
    fields = [await payloads.save(LARGE + bytes([number]), "run") for number in range(3)]
    counting = Counting(payloads)
    inputs = Inputs(counting, kept_bytes=450_000)
    for number in (0, 1, 0, 2, 0, 1):
        await inputs.load([fields[number]])
    assert counting.loads == 4, "the second one was read again"


async def test_what_could_not_be_read_is_not_kept(payloads, db):
    forged = await Payloads(db, Signer(b"o" * 32)).save(LARGE, "run")
    counting = Counting(payloads)
    inputs = Inputs(counting)
    for _ in range(2):
        with pytest.raises(PayloadForged):
            await inputs.load([forged])
    assert counting.loads == 2
