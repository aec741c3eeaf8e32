"""What a task worker is configured with."""

import os
from dataclasses import dataclass
from pathlib import Path

from lightflow.config import Config
from lightflow.core.states import Service
from lightflow.queue.const import DefaultJobQueueName
from lightflow.runtime.settings import EngineSettings, queues_of

ECHO = "LIGHTFLOW_ECHO"
"""Environment variable: when set, what tasks write appears on the worker's own output too."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The engine's settings, and what is this service's own."""

    engine: EngineSettings
    name: str
    queues: tuple[str, ...]
    workflows: tuple[Path, ...]
    libraries: tuple[Path, ...]
    attempts_per_child: int | None = None
    echo: bool = False

    @classmethod
    def from_config(cls, config: Config) -> "Settings":
        engine = EngineSettings.from_config(config)
        return cls(
            engine,
            engine.name_of(Service.TASK_WORKER),
            queues_of(DefaultJobQueueName.Task),
            tuple(map(Path, config.workflows)),
            tuple(map(Path, config.libraries)),
            config.celery.get("worker_max_tasks_per_child"),
            bool(os.environ.get(ECHO)),
        )
