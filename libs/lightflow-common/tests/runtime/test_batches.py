import asyncio

import pytest
from pymongo.errors import OperationFailure

from lightflow.runtime.batches import AT_ONCE, Batches, Turns


class Server:
    """Makes steps, one command at a time, when it is let."""

    def __init__(self) -> None:
        self.commands: list[list[int]] = []
        self.begun, self.open = asyncio.Event(), asyncio.Event()
        self.refuses: set[int] = set()
        self.chokes_on: set[int] = set()
        self.error: Exception | None = None

    async def make(self, steps: list[int]) -> list[bool | Exception]:
        self.commands.append(steps)
        self.begun.set()
        await self.open.wait()
        if self.error is not None:
            raise self.error
        if not self.chokes_on.isdisjoint(steps):
            raise OperationFailure(f"cannot make one of {steps}")
        return [step not in self.refuses for step in steps]


def making(batches: "Batches[int, bool]", *steps: int) -> "list[asyncio.Task[bool]]":
    return [asyncio.ensure_future(batches.one(step)) for step in steps]


async def test_what_comes_while_a_command_is_under_way_goes_with_the_next() -> None:
    server = Server()
    batches = Batches(server.make)
    first = making(batches, 0)
    await server.begun.wait()
    rest = making(batches, *range(1, 6))
    await asyncio.sleep(0)
    server.open.set()
    assert await asyncio.gather(*first, *rest) == [True] * 6
    assert server.commands == [[0], [1, 2, 3, 4, 5]]


async def test_each_is_told_what_came_of_it() -> None:
    server = Server()
    server.refuses = {1}
    server.open.set()
    assert await asyncio.gather(*making(Batches(server.make), 0, 1, 2)) == [True, False, True]


async def test_an_outage_is_told_to_all_that_were_in_the_command_and_to_nobody_after_them() -> None:
    server = Server()
    server.error = OSError("gone")
    server.open.set()
    batches = Batches(server.make)
    told = await asyncio.gather(*making(batches, 0, 1), return_exceptions=True)
    assert told == [server.error, server.error]
    assert server.commands == [[0, 1]]
    server.error = None
    assert await batches.one(2)


async def test_a_step_that_cannot_be_made_is_nothing_to_the_others() -> None:
    server = Server()
    server.chokes_on = {1}
    server.open.set()
    told = await asyncio.gather(*making(Batches(server.make), 0, 1, 2), return_exceptions=True)
    assert [str(each) for each in told] == ["True", "cannot make one of [1]", "True"]


async def test_one_command_takes_no_more_than_it_should() -> None:
    server = Server()
    server.open.set()
    await asyncio.gather(*making(Batches(server.make), *range(AT_ONCE + 1)))
    assert [len(command) for command in server.commands] == [AT_ONCE, 1]


async def test_one_that_no_longer_waits_is_nothing_to_the_others() -> None:
    server = Server()
    gone, other = making(Batches(server.make), 0, 1)
    await server.begun.wait()
    gone.cancel()
    server.open.set()
    assert await other
    with pytest.raises(asyncio.CancelledError):
        await gone


async def test_a_store_that_loses_a_result_is_told_of_to_everybody_who_waits_for_one():
    async def forgetful(steps: list[int]) -> list[bool]:
        return []

    told = await asyncio.wait_for(asyncio.gather(*making(Batches(forgetful), 0, 1), return_exceptions=True), 10)
    assert [type(each) for each in told] == [AssertionError, AssertionError]


async def test_of_those_who_share_turns_only_two_make_steps_at_once_and_what_waits_goes_together() -> None:
    servers, turns = [Server() for _ in range(3)], Turns()
    kinds = [Batches(server.make, turns) for server in servers]
    under_way = [making(batches, 0) for batches in kinds]
    for server in servers[:2]:
        await server.begun.wait()
    late = making(kinds[2], 1, 2)
    await asyncio.sleep(0)
    assert [server.commands for server in servers] == [[[0]], [[0]], []]
    for server in servers[1:]:
        server.open.set()
    assert await asyncio.gather(*under_way[1], *under_way[2], *late) == [True] * 4
    assert servers[2].commands == [[0, 1, 2]]
    servers[0].open.set()
    await under_way[0][0]


async def test_who_waits_for_a_command_that_is_cancelled_is_cancelled_and_the_next_step_is_made() -> None:
    server = Server()
    batches = Batches(server.make)
    (waiting,) = making(batches, 0)
    await server.begun.wait()
    assert batches._making is not None
    batches._making.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    server.open.set()
    assert await batches.one(1)


async def test_a_turn_ends_with_a_command_that_fails() -> None:
    server, turns = Server(), Turns()
    server.open.set()
    server.error = OperationFailure("out of order")
    for _ in range(3):
        with pytest.raises(OperationFailure):
            await Batches(server.make, turns).one(0)
