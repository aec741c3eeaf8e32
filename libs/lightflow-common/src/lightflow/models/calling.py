"""Calling what users wrote: plain functions and `async def` alike."""

from collections.abc import Awaitable, Callable
from typing import Any


def call(function: Callable[..., Any], *arguments: Any) -> Any:
    """What the function returns, awaited if need be."""
    result = function(*arguments)
    return _await(result) if isinstance(result, Awaitable) else result


def _await(awaitable: Awaitable[Any]) -> Any:
    import asyncio  # most tasks never need it

    async def wait() -> Any:
        return await awaitable

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(wait())
    return _await_beside(wait)


def _await_beside(wait: Callable[[], Any]) -> Any:
    """In a notebook this thread's event loop is running already: another thread takes its own."""
    import asyncio
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1) as executor:
        return executor.submit(lambda: asyncio.run(wait())).result()
