"""What a scheduler is configured with."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lightflow.config import Config
from lightflow.core.states import Service
from lightflow.queue.const import DefaultJobQueueName
from lightflow.runtime.settings import EngineSettings, queues_of


@dataclass(frozen=True, slots=True)
class Settings:
    """The engine's settings, and what is this service's own."""

    engine: EngineSettings
    name: str
    queues: tuple[str, ...]
    addresses: tuple[str, ...]
    advertise: str | None = None

    @classmethod
    def from_config(cls, config: Config) -> "Settings":
        engine = EngineSettings.from_config(config)
        name = engine.name_of(Service.SCHEDULER)
        queues = queues_of(DefaultJobQueueName.Workflow)
        return cls(engine, name, queues, addresses_of(config.control), config.control.get("advertise"))


def addresses_of(control: Mapping[str, Any]) -> tuple[str, ...]:
    """Where the control service listens: on its socket alone where one is named, else on its host and port."""
    if control.get("socket"):
        return (f"unix:{control['socket']}",)
    return (f"{control['host']}:{control['port']}",)
