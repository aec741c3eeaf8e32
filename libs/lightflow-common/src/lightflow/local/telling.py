"""What somebody who waits for a run in this process is told, by the log: pytest shows it below a test that failed."""

import logging

from lightflow.core.outcomes import Settlement
from lightflow.core.states import State

logger = logging.getLogger(__name__)


def tell(task: str, settlement: Settlement) -> None:
    """Why an attempt of a task (DAG:n/NAME) failed, and when the task is tried again."""
    error = settlement.error
    if error is None:
        return
    if settlement.state is State.QUEUED:
        delay = settlement.delay
        logger.warning("task %s is tried again in %g s: %s: %s", task, delay, error.type, error.message)
    elif settlement.state is State.FAILED:
        logger.error("task %s failed: %s: %s\n%s", task, error.type, error.message, error.traceback)
