"""Run a workflow in this process, without any server: for tests of workflows, and for notebooks.

The same rules hold as on a system. What differs: what tasks do to globals is seen by all, and a task that kills its
process kills this one.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lightflow.local.result import DagResult as DagResult
    from lightflow.local.result import Result as Result
    from lightflow.local.result import TaskResult as TaskResult
    from lightflow.local.runner import run as run

__all__ = ["DagResult", "Result", "TaskResult", "run"]


def __getattr__(name: str) -> Any:
    """The command line imports the stack often and the runner never: each loads when it is asked for."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"lightflow.local.{'runner' if name == 'run' else 'result'}"), name)
