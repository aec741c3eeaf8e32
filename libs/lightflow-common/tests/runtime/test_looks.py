import asyncio
from collections import Counter

import pytest

from lightflow.runtime import looks as module
from lightflow.runtime.looks import Looks


class Work:
    """A look that waits until the test lets it go on, and fails as often as it is told."""

    def __init__(self):
        self.begun = Counter()
        self.ended = Counter()
        self.at_once = 0
        self.most_at_once = 0
        self.failures = Counter()
        self.gates = {}
        self.held = []
        self.changed = asyncio.Condition()

    async def look(self, item):
        assert self.begun[item] == self.ended[item], "looks at one thing overlap"
        self.begun[item] += 1
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await self._tell()
        try:
            if item in self.gates:
                await self.gates[item].wait()
            if self.failures[item]:
                self.failures[item] -= 1
                raise ConnectionError("away")
        finally:
            self.at_once -= 1
            self.ended[item] += 1
            await self._tell()

    def keep(self, item):
        self.gates[item] = asyncio.Event()
        return self.gates[item]

    async def until(self, condition):
        async with asyncio.timeout(5), self.changed:
            await self.changed.wait_for(condition)

    async def _tell(self):
        async with self.changed:
            self.changed.notify_all()


@pytest.fixture
def work():
    return Work()


def looks_of(work, limit=10):
    return Looks(work.look, limit, work.held.append)


async def test_each_thing_hinted_at_is_looked_at(work):
    looks_of(work).add(["a", "b"])
    await work.until(lambda: work.ended == {"a": 1, "b": 1})


async def test_a_thousand_hints_during_a_look_are_one_more_look(work):
    gate, looks = work.keep("a"), looks_of(work)
    looks.add(["a"])
    await work.until(lambda: work.begun["a"] == 1)
    for _ in range(1000):
        looks.add(["a"])
    gate.set()
    await work.until(lambda: work.ended["a"] == 2)
    await looks.close()
    assert work.begun == {"a": 2}


async def test_looks_at_one_thing_never_overlap_and_others_go_on_beside(work):
    gate, looks = work.keep("a"), looks_of(work)
    looks.add(["a"])
    await work.until(lambda: work.begun["a"] == 1)
    looks.add(["a", "b"])
    await work.until(lambda: work.ended["b"] == 1)
    assert work.begun["a"] == 1
    gate.set()
    await work.until(lambda: work.ended["a"] == 2)


async def test_no_more_looks_run_at_once_than_the_limit(work):
    gates, looks = [work.keep(name) for name in "abcdef"], looks_of(work, limit=2)
    looks.add("abcdef")
    await work.until(lambda: work.at_once == 2)
    for gate in gates:
        gate.set()
    await work.until(lambda: sum(work.ended.values()) == 6)
    assert work.most_at_once == 2


async def test_a_look_that_failed_is_repeated_until_it_succeeds(work, monkeypatch):
    monkeypatch.setattr(module, "DELAYS", (0.0, 0.0, 0.0))
    work.failures["a"] = 3
    looks = looks_of(work)
    looks.add(["a"])
    await work.until(lambda: work.ended["a"] == 4)
    assert work.failures["a"] == 0


async def test_a_look_that_keeps_failing_is_left_to_the_sweep_and_begins_anew_after_it(work, monkeypatch):
    monkeypatch.setattr(module, "DELAYS", (0.0, 0.0))
    work.failures["a"] = 4
    looks = looks_of(work)
    looks.add(["a"])
    await work.until(lambda: work.ended["a"] == 3)
    assert len(looks) == 0
    looks.add(["a"])
    await work.until(lambda: work.ended["a"] == 5)
    assert work.failures["a"] == 0


async def test_a_failing_look_does_not_keep_others_back(work):
    work.failures["a"] = 1
    looks_of(work).add(["a", "b"])
    await work.until(lambda: work.ended["b"] == 1)


async def test_whoever_keeps_the_gate_is_told_how_many_looks_are_held(work):
    gate, looks = work.keep("a"), looks_of(work, limit=1)
    looks.add(["a", "b", "c"])
    assert work.held[-1] == len(looks) == 3
    gate.set()
    await work.until(lambda: work.ended["c"] == 1 and not len(looks))
    assert work.held[-1] == 0


async def test_closing_finishes_the_looks_under_way_and_begins_none(work):
    gate, looks = work.keep("a"), looks_of(work, limit=1)
    looks.add(["a", "b"])
    await work.until(lambda: work.begun["a"] == 1)
    closing = asyncio.create_task(looks.close())
    gate.set()
    await closing
    assert work.ended == {"a": 1}
