"""Lightflow on one machine: `run` runs a workflow in this process; below `stack` is the embedded stack."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lightflow.local.result import Result as Result
    from lightflow.local.runner import run as run

__all__ = ["Result", "run"]


def __getattr__(name: str) -> Any:
    """The command line imports the stack often and the runner never: each loads when it is asked for."""
    if name == "run":
        from lightflow.local.runner import run

        return run
    if name == "Result":
        from lightflow.local.result import Result

        return Result
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
