import asyncio

import pytest

from lightflow.runtime.kept import Kept


class Making:
    """Makes values and keeps the keys that it was asked for."""

    def __init__(self) -> None:
        self.made: list[str] = []
        self.may_go_on = asyncio.Event()
        self.may_go_on.set()

    def of(self, key, value=None):
        async def make():
            self.made.append(key)
            await self.may_go_on.wait()
            if value is None:
                raise LookupError(key)
            return value

        return make


async def asked(kept, making, keys):
    for key in keys:
        await kept.get(key, making.of(key, key * 10))
    return making.made


async def test_what_was_asked_for_last_is_kept():
    assert await asked(Kept(2), Making(), "abacab") == list("abcb")


async def test_as_much_is_kept_as_there_is_room_for():
    assert await asked(Kept(20, len), Making(), "abacab") == list("abcb")


async def test_the_last_one_is_kept_however_large():
    assert await asked(Kept(1, len), Making(), "aabb") == list("ab")


async def test_who_asks_for_what_is_being_made_waits_for_that():
    kept, making = Kept(1), Making()
    making.may_go_on.clear()
    asking = [asyncio.create_task(kept.get("a", making.of("a", "value"))) for _ in range(3)]
    await asyncio.sleep(0)
    asking[0].cancel()
    making.may_go_on.set()
    assert await asyncio.gather(*asking[1:]) == ["value"] * 2
    assert making.made == ["a"]


async def test_an_error_is_raised_to_all_who_wait_and_not_kept():
    kept, making = Kept(1), Making()
    found = await asyncio.gather(*(kept.get("a", making.of("a")) for _ in range(2)), return_exceptions=True)
    assert list(map(type, found)) == [LookupError] * 2
    assert await kept.get("a", making.of("a", "value")) == "value"


async def test_what_is_dropped_while_it_is_made_takes_no_room():
    kept, making = Kept(2), Making()
    making.may_go_on.clear()
    asking = asyncio.create_task(kept.get("a", making.of("a", "old")))
    await asyncio.sleep(0)
    kept.drop("a")
    making.may_go_on.set()
    assert await asking == "old"
    assert await asked(kept, making, "abab") == list("aab")


@pytest.mark.parametrize("key", ["a", "never asked for"])
async def test_what_is_dropped_is_made_anew(key):
    kept, making = Kept(2), Making()
    await asked(kept, making, "a")
    kept.drop(key)
    assert await asked(kept, making, "a") == (["a", "a"] if key == "a" else ["a"])
