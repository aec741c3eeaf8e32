"""A process of the simulated system: tasks of the event loop that live and die together."""

import asyncio
from collections.abc import Coroutine
from contextvars import ContextVar, copy_context
from dataclasses import dataclass, field
from typing import Any

CURRENT: ContextVar["Process | None"] = ContextVar("CURRENT", default=None)


@dataclass(eq=False)
class Process:
    """What runs in it knows it as CURRENT; killed, it does nothing more, not even clean up."""

    kind: str
    name: str
    alive: bool = True
    awake: asyncio.Event = field(default_factory=asyncio.Event)
    tasks: dict[asyncio.Task[Any], None] = field(default_factory=dict)  # in the order in which they began
    told_to_stop: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.awake.set()

    def begin(self, work: Coroutine[Any, Any, Any]) -> "asyncio.Task[Any]":
        """Run this in the process."""
        context = copy_context()
        context.run(CURRENT.set, self)
        return asyncio.get_running_loop().create_task(work, context=context)

    def kill(self) -> None:
        """End at once: nothing that its tasks do from here on reaches anybody."""
        self.alive = False
        self.awake.set()
        for task in list(self.tasks):
            task.cancel()

    def pause(self) -> None:
        """Stop as by SIGSTOP, before the next thing that others could see."""
        self.awake.clear()

    def resume(self) -> None:
        self.awake.set()


def task_factory(
    loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, Any], **options: Any
) -> "asyncio.Task[Any]":
    """Enters every task into the process that it belongs to."""
    task = asyncio.Task(work, loop=loop, **options)
    context = options.get("context")
    process = context[CURRENT] if context is not None and CURRENT in context else CURRENT.get()
    if process is not None:
        process.tasks[task] = None
        task.add_done_callback(lambda done: process.tasks.pop(done, None))
        if not process.alive:
            task.cancel()
    return task
