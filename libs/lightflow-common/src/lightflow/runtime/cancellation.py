"""Ending tasks of the event loop for certain."""

import asyncio
from collections.abc import Iterable
from typing import Any

CANCEL_AGAIN = 0.5


async def end_tasks(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancel tasks until they have ended: a client library may turn a cancellation into an error of its own."""
    pending = {task for task in tasks if not task.done()}
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=CANCEL_AGAIN)
