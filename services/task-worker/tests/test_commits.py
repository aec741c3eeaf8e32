import asyncio
from typing import Any

import pytest

from lightflow_task_worker.commits import AT_ONCE, Commits


class Server:
    """Takes what is written, one command at a time, when it is let."""

    def __init__(self) -> None:
        self.commands: list[list[int]] = []
        self.begun, self.open = asyncio.Event(), asyncio.Event()
        self.refuses: set[int] = set()
        self.error: Exception | None = None

    async def write(self, ends: list[tuple[Any, Any]]) -> list[bool | Exception]:
        numbers = [fence["_id"] for fence, _ in ends]
        self.commands.append(numbers)
        self.begun.set()
        await self.open.wait()
        if self.error is not None:
            raise self.error
        return [number not in self.refuses for number in numbers]


def ending(commits: Commits, *numbers: int) -> "list[asyncio.Task[bool]]":
    return [asyncio.ensure_future(commits.end({"_id": number}, [])) for number in numbers]


async def test_what_comes_while_a_command_is_under_way_goes_with_the_next() -> None:
    server = Server()
    commits = Commits(server.write)
    first = ending(commits, 0)
    await server.begun.wait()
    rest = ending(commits, *range(1, 6))
    await asyncio.sleep(0)
    server.open.set()
    assert await asyncio.gather(*first, *rest) == [True] * 6
    assert server.commands == [[0], [1, 2, 3, 4, 5]]


async def test_each_is_told_whether_it_was_let_through() -> None:
    server = Server()
    server.refuses = {1}
    server.open.set()
    assert await asyncio.gather(*ending(Commits(server.write), 0, 1, 2)) == [True, False, True]


async def test_an_error_of_the_command_is_told_to_all_that_were_in_it_and_to_nobody_after_them() -> None:
    server = Server()
    server.error = OSError("gone")
    server.open.set()
    commits = Commits(server.write)
    told = await asyncio.gather(*ending(commits, 0, 1), return_exceptions=True)
    assert told == [server.error, server.error]
    server.error = None
    assert await commits.end({"_id": 2}, [])


async def test_one_command_takes_no_more_than_it_should() -> None:
    server = Server()
    server.open.set()
    await asyncio.gather(*ending(Commits(server.write), *range(AT_ONCE + 1)))
    assert [len(command) for command in server.commands] == [AT_ONCE, 1]


async def test_one_that_no_longer_waits_is_nothing_to_the_others() -> None:
    server = Server()
    commits = Commits(server.write)
    gone, other = ending(commits, 0, 1)
    await server.begun.wait()
    gone.cancel()
    server.open.set()
    assert await other
    with pytest.raises(asyncio.CancelledError):
        await gone
