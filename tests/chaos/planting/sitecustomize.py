"""Python imports this when it starts, where the folder is on its path: a service begins its life with a planted bug."""

import os
import sys

SERVICES = ("lightflow_scheduler", "lightflow_dag_runner", "lightflow_task_worker")


def plant(bug: str) -> None:
    """Plant a bug in this process for good."""
    from tests.simulation.planted import BUGS

    for patch in BUGS[bug]():
        patch.start()


if (given := os.environ.get("CHAOS_PLANT")) and set(sys.orig_argv) & set(SERVICES):
    try:
        plant(given)
    except BaseException:
        # Python would go on without it, and the chaos would look for a bug that is not there.
        sys.excepthook(*sys.exc_info())
        os._exit(1)
