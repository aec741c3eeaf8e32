"""What a dag-runner is configured with."""

from dataclasses import dataclass

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

    @classmethod
    def from_config(cls, config: Config) -> "Settings":
        engine = EngineSettings.from_config(config)
        return cls(engine, engine.name_of(Service.DAG_RUNNER), queues_of(DefaultJobQueueName.Dag))
