"""What a worker runs, and with which configuration. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

from lightflow.core.settings import Settings
from lightflow.runtime.services import GRACE_MARGIN, command, serving
from lightflow.runtime.supervision.processes import ProcessSpec, Ready
from lightflow.runtime.worker.arguments import Choices


def configuration(base: Mapping[str, Any], name: str, choices: Choices) -> Settings:
    """The settings of the worker's services: all those of its configuration, with what was chosen."""
    tree: Settings = deepcopy(dict(base))
    tree["engine"] = {**tree["engine"], "worker_name": name}
    if choices.slots is not None:
        tree["engine"]["task_slots"] = choices.slots
    if choices.max_tasks_per_child is not None:
        tree["celery"] = {**(tree["celery"] or {}), "worker_max_tasks_per_child": choices.max_tasks_per_child}
    if choices.log_level is not None:
        _set_level(tree["logging"] or {}, choices.log_level)
    return tree


def processes(queues: Sequence[str], config: Path, grace: float) -> tuple[ProcessSpec, ...]:
    """The services that serve these queues; `grace` is what a service gives its running tasks, in seconds."""
    return tuple(
        ProcessSpec(
            name=service,
            service=service,
            argv=command(service),
            log=None,
            ready=Ready.DESCRIPTOR,
            environment=dict(_environment(config, served)),
            grace=grace + GRACE_MARGIN,
            may_end=True,
        )
        for service, served in serving(queues).items()
    )


def _environment(config: Path, queues: Sequence[str]) -> Iterator[tuple[str, str]]:
    yield "PYTHONUNBUFFERED", "1"
    yield "LIGHTFLOW_CONFIG", str(config)
    yield "LIGHTFLOW_QUEUES", ",".join(queues)
    yield "LIGHTFLOW_ECHO", "1"


def _set_level(logging: Settings, level: str) -> None:
    for each in [logging.setdefault("root", {}), *(logging.get("handlers") or {}).values()]:
        each["level"] = level
