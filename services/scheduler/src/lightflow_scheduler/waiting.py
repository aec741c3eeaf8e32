"""Waiting for a look that concerns someone, with a slow fallback for those that were lost."""

import asyncio
from collections.abc import Iterable

from lightflow.runtime.notify import Look, Subscription


async def next_look(looks: Subscription, until: float, **ids: str) -> None:
    """Return at a look that may concern these ids, or at that time of the event loop's clock."""
    clock = asyncio.get_running_loop().time
    while (left := until - clock()) > 0:
        if concerns(await looks.wait(left), **ids):
            return


async def soon(looks: Subscription, seconds: float, **ids: str) -> None:
    """As `next_look`, within so many seconds."""
    await next_look(looks, asyncio.get_running_loop().time() + seconds, **ids)


def concerns(looks: Iterable[Look], **ids: str) -> bool:
    """Whether one of the looks may be about these ids: all that it names are these, or it tells of missed ones."""
    return any(look.missed or all(look.ids.get(name, id_) == id_ for name, id_ in ids.items()) for look in looks)
