"""A workflow as data: what a version records of its options, DAGs, tasks and edges. Immutable, and JSON both ways."""

from base64 import b64decode, b64encode
from collections.abc import Iterable
from dataclasses import MISSING, dataclass, fields
from functools import cached_property
from typing import Any

from lightflow.core.errors import DagNameUnknown
from lightflow.core.outcomes import RetryPolicy

Edge = tuple[int, int, str | None]
"""(parent index, child index, alias of the parent's output at the child)"""


@dataclass(frozen=True, slots=True)
class OptionSpec:
    """A start option; `default` is an encoded value, None where the option is required."""

    name: str
    type: str = "str"
    required: bool = True
    default: bytes | None = None
    default_text: str = ""
    help: str = ""

    def to_json(self) -> dict[str, Any]:
        default = None if self.default is None else b64encode(self.default).decode()
        return {**_given(self), "default": default} if default else _given(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "OptionSpec":
        default = data.get("default")
        return cls(**{**data, "default": b64decode(default) if default else None})


@dataclass(frozen=True, slots=True)
class TaskSpec:
    """A task of a DAG; times in seconds."""

    name: str
    type: str = "PythonTask"
    queue: str = "task"
    force_run: bool = False
    propagate_skip: bool = True
    retries: int = 0
    retry_delay: float = 0.0
    retry_backoff: float = 1.0
    retry_jitter: float = 0.0
    timeout: float | None = None

    @property
    def retry_policy(self) -> RetryPolicy:
        return RetryPolicy(self.retries, self.retry_delay, self.retry_backoff, self.retry_jitter)

    def to_json(self) -> dict[str, Any]:
        return _given(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "TaskSpec":
        return cls(**data)


@dataclass(frozen=True)
class DagSpec:
    """A DAG: its tasks, and its edges in the order of the schema."""

    name: str
    autostart: bool = True
    queue: str = "dag"
    tasks: tuple[TaskSpec, ...] = ()
    edges: tuple[Edge, ...] = ()

    @cached_property
    def predecessors(self) -> tuple[tuple[tuple[int, str | None], ...], ...]:
        """For each task its (index of predecessor, alias), in the order of the schema."""
        found: list[list[tuple[int, str | None]]] = [[] for _ in self.tasks]
        for parent, child, alias in self.edges:
            found[child].append((parent, alias))
        return tuple(map(tuple, found))

    @cached_property
    def successors(self) -> tuple[tuple[int, ...], ...]:
        """For each task the indexes of its immediate successors."""
        found: list[dict[int, None]] = [{} for _ in self.tasks]
        for parent, child, _ in self.edges:
            found[parent][child] = None
        return tuple(map(tuple, found))

    @cached_property
    def roots(self) -> tuple[int, ...]:
        """The tasks without predecessors."""
        return tuple(index for index, parents in enumerate(self.predecessors) if not parents)

    def select(self, index: int, limit: Iterable[str] | None) -> tuple[int, ...] | None:
        """The successors of a task that a limit selects, as indexes; names that are no successors are ignored."""
        if limit is None:
            return None
        chosen = set(limit)
        return tuple(child for child in self.successors[index] if self.tasks[child].name in chosen)

    def strangers(self, index: int, limit: Iterable[str] | None) -> tuple[str, ...]:
        """The names in a limit that are no successors of the task."""
        names = {self.tasks[child].name for child in self.successors[index]} if limit else set()
        return tuple(name for name in limit or () if name not in names)

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "autostart": self.autostart,
            "queue": self.queue,
            "tasks": [task.to_json() for task in self.tasks],
            "edges": [list(edge) for edge in self.edges],
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "DagSpec":
        tasks = tuple(TaskSpec.from_json(task) for task in data["tasks"])
        edges = tuple((parent, child, alias) for parent, child, alias in data["edges"])
        return cls(data["name"], data["autostart"], data["queue"], tasks, edges)


@dataclass(frozen=True)
class WorkflowSpec:
    """A workflow: options and DAGs, in the order of the file."""

    name: str
    docstring: str = ""
    parameters: tuple[OptionSpec, ...] = ()
    dags: tuple[DagSpec, ...] = ()

    def dag(self, name: str) -> DagSpec:
        """The DAG of that name; raises DagNameUnknown."""
        if (dag := self._by_name.get(name)) is None:
            raise DagNameUnknown(name, tuple(self._by_name))
        return dag

    @cached_property
    def _by_name(self) -> dict[str, DagSpec]:
        return {dag.name: dag for dag in self.dags}

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "docstring": self.docstring,
            "parameters": [option.to_json() for option in self.parameters],
            "dags": [dag.to_json() for dag in self.dags],
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "WorkflowSpec":
        parameters = tuple(OptionSpec.from_json(option) for option in data["parameters"])
        return cls(data["name"], data["docstring"], parameters, tuple(DagSpec.from_json(dag) for dag in data["dags"]))


def _given(spec: OptionSpec | TaskSpec) -> dict[str, Any]:
    """The fields that differ from their defaults: large graphs repeat few of them."""
    return {
        field.name: getattr(spec, field.name)
        for field in fields(spec)
        if field.default is MISSING or getattr(spec, field.name) != field.default
    }
