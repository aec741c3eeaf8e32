"""The embedded stack: redis, mongod and the three services, supervised, on unix sockets."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lightflow.local.stack.record import StackInfo, find
    from lightflow.local.stack.stack import Stack, stop
    from lightflow.local.stack.temporary import Servers

_HOMES = {
    "Servers": "temporary",
    "Stack": "stack",
    "StackInfo": "record",
    "find": "record",
    "stop": "stack",
}

__all__ = ["Servers", "Stack", "StackInfo", "find", "stop"]


def __getattr__(name: str) -> Any:
    """Import what is asked for when it is asked for: a command line must start quickly."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
