"""What a child may be forked for. The guardian imports this before it forks, so that a child starts warm."""

from collections.abc import Callable

import lightflow.tasks  # noqa: F401 (what most workflow files import)
from lightflow_task_worker.child import attempts, load

ROLES: dict[str, Callable[[list[int]], None]] = {
    "attempts": attempts.serve,
    "load": load.serve,
    "load ahead": load.serve_ahead,
}
