"""The three services as processes: their names, the queues they serve, how they are started."""

import sys
from collections.abc import Mapping, Sequence
from typing import Final

from lightflow.core import settings
from lightflow.queue.const import DefaultJobQueueName

SERVICES: Final[Mapping[str, str]] = {
    "scheduler": DefaultJobQueueName.Workflow,
    "dag-runner": DefaultJobQueueName.Dag,
    "task-worker": DefaultJobQueueName.Task,
}
"""Each service with the queue it serves unless told otherwise."""

GRACE_MARGIN: Final = 5.0
"""What a service may need beyond its own grace to tell everybody that it is gone, in seconds."""


def command(service: str) -> tuple[str, ...]:
    """The command line of a service. -P: the folder that a person is in must not shadow what a service imports."""
    return (sys.executable, "-P", "-m", f"lightflow_{service.replace('-', '_')}")


def serving(queues: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """The services that serve these queues, each with its own ones.

    A service's default queue is served by that service alone, any other name by all three.
    """
    names = tuple(dict.fromkeys(queues))
    own = tuple(name for name in names if name not in SERVICES.values())
    each = {
        service: tuple(name for name in names if name == queue or name in own) for service, queue in SERVICES.items()
    }
    return {service: served for service, served in each.items() if served}


SETTLED: Final = tuple(
    f"LIGHTFLOW_{name}"
    for name in (
        *(f"{section.upper()}_" for section in settings.SECTIONS),
        *(name.upper() for name in (*settings.FOLDERS, *settings.FREE)),
        *("BROKER_URL", "CONFIG", "DATA_DIR", "ECHO", "HEALTH_FILE", "QUEUES", "READY_FD", "TARGET"),
    )
)
"""What is either in the configuration that services are given or says something about another system."""


def inherited(environment: Mapping[str, str]) -> dict[str, str]:
    """What services keep of the environment in which they are started."""
    return {name: value for name, value in environment.items() if not name.startswith(SETTLED)}
