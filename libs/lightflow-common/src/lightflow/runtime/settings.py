"""The engine's settings, typed. Times are seconds, sizes bytes."""

import os
import socket
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from lightflow.core.errors import ConfigFieldError
from lightflow.core.outcomes import Bounds

if TYPE_CHECKING:
    from lightflow.config import Config

MAY_BE_ZERO = frozenset({"stop_grace", "shutdown_grace", "retention_days"})


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """What all services agree on; a value left out has the default of the configuration."""

    lease_interval: float = 3.0
    lease_timeout: float = 30.0
    self_fence: float = 25.0
    sweep_interval: float = 5.0
    shutdown_grace: float = 10.0
    stop_grace: float = 10.0
    load_timeout: float = 30.0
    task_slots: int | None = None
    join_cap: int = 32
    max_deaths: int = 3
    max_losses: int = 10
    retention_days: float = 7.0
    log_limit: int = 10 * 1024 * 1024
    signing_key_file: str | None = None
    worker_name: str | None = None
    cache_dir: str | None = None
    hint_bound: int = 100

    @classmethod
    def from_config(cls, config: "Config") -> "EngineSettings":
        """The `engine` section; its keys and types were checked when it was loaded. Raises ConfigFieldError."""
        settings = cls(**config.engine)
        settings.check()
        return settings

    def check(self) -> None:
        """Raise ConfigFieldError for values that could not work, or not together."""
        for name, value in asdict(self).items():
            if isinstance(value, int | float) and value <= 0 and name not in MAY_BE_ZERO:
                raise ConfigFieldError(f"engine.{name} is more than 0, not {value:g}")
        if not self.lease_interval < self.self_fence < self.lease_timeout:
            times = f"{self.lease_interval:g}, {self.self_fence:g} and {self.lease_timeout:g}"
            raise ConfigFieldError(
                "engine.lease_interval, self_fence and lease_timeout grow in this order, "
                f"or two workers could run one task; they are {times}"
            )

    @property
    def slots(self) -> int:
        """Task slots of a task worker: as many as there are cores unless set."""
        return self.task_slots or os.cpu_count() or 1

    @property
    def bounds(self) -> Bounds:
        return Bounds(self.max_deaths, self.max_losses)

    def name_of(self, service: str) -> str:
        """What a process of this service is called in lists; stable over its restarts."""
        return f"{self.worker_name or service}@{socket.gethostname()}"


def queues_of(default: str) -> tuple[str, ...]:
    """The queues that this process serves: its default one unless LIGHTFLOW_QUEUES says otherwise."""
    given = (name.strip() for name in os.environ.get("LIGHTFLOW_QUEUES", "").split(","))
    return tuple(dict.fromkeys(name for name in given if name)) or (default,)
