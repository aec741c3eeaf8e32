"""Slots and who uses them: how many attempts may run, and which of the processes takes the next one."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from lightflow_task_worker.slot import Slot, Slots


class Pool:
    """Idle slots, and the count of what is running and what only waits.

    An attempt that waits in join_dags lends its slot: it keeps its process, and another attempt may begin. Woken, it
    counts as one over until an attempt ends.
    """

    def __init__(self, slots: Slots, size: int, on_change: Callable[[], None]) -> None:
        self._slots = slots
        self._size = size
        self._on_change = on_change
        self._idle: list[Slot] = []
        self.running = 0
        self.waiting = 0

    @property
    def free(self) -> int:
        """How many attempts may begin now."""
        return max(0, self._size - self.running)

    def take(self) -> None:
        """An attempt begins."""
        self.running += 1

    def give(self) -> None:
        """An attempt has ended."""
        self.running -= 1
        self._on_change()

    @contextmanager
    def lent(self) -> Iterator[None]:
        """A running attempt waits for others, and another may begin meanwhile."""
        self.running -= 1
        self.waiting += 1
        self._on_change()
        try:
            yield
        finally:
            self.waiting -= 1
            self.running += 1

    async def slot_for(self, version: str) -> Slot:
        """An idle slot, best one whose process has this version; a new one where none is idle."""
        fitting = next((slot for slot in self._idle if slot.version == version), None)
        if fitting is None and not self._idle:
            return await self._slots.start()
        slot = fitting or self._idle[0]
        self._idle.remove(slot)
        return slot

    async def put_back(self, slot: Slot) -> None:
        """The slot is idle again; one more than there may ever be in use at once is closed."""
        if len(self._idle) >= self._size:
            await slot.close()
        else:
            self._idle.append(slot)

    async def warm(self) -> None:
        """Start the slots before they are needed."""
        while len(self._idle) + self.running < self._size:
            self._idle.append(await self._slots.start())

    def process_pids(self) -> list[int]:
        """The processes of idle slots."""
        return [pid for slot in self._idle for pid in slot.process_pids]

    async def close(self) -> None:
        """End all processes."""
        for slot in self._idle:
            await slot.close()
        await self._slots.close()
