"""What a person may choose about a stack."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

from lightflow.core.nearest import hint
from lightflow.local.stack.errors import StackOptionInvalid
from lightflow.runtime.services import SERVICES


@dataclass(frozen=True, slots=True)
class StackOptions:
    """`queues` are served besides the default ones; `config` is a configuration file to build on."""

    data_dir: str
    workflows: tuple[str, ...] = ()
    task_slots: int | None = None
    replicas: Mapping[str, int] = field(default_factory=dict)
    queues: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    config: str | None = None

    def check(self) -> None:
        """Raise StackOptionInvalid for the first choice that cannot be."""
        for service in (*self.replicas, *self.queues):
            if service not in SERVICES:
                raise StackOptionInvalid(f"There is no service {service!r}{hint(service, SERVICES)}")
        for service, number in self.replicas.items():
            if number < 1:
                raise StackOptionInvalid(f"A stack has at least one {service}, not {number}")
        for service, names in self.queues.items():
            if not all(name.strip() and "," not in name for name in names):
                raise StackOptionInvalid(f"A queue of the {service} needs a name without commas")
        if self.task_slots is not None and self.task_slots < 1:
            raise StackOptionInvalid(f"A task worker has at least one task slot, not {self.task_slots}")
        for folder in self.workflows:
            if not Path(folder).is_dir():
                raise StackOptionInvalid(f"There is no folder {folder} to take workflows from")

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        queues = {service: tuple(names) for service, names in data["queues"].items()}
        return cls(**{**data, "workflows": tuple(data["workflows"]), "queues": queues})
