"""A workflow: the DAGs and parameters of one file."""

import copy
import inspect
import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, Self

from lightflow.config import Config
from lightflow.core.errors import WorkflowArgumentError, WorkflowDefinitionError, WorkflowImportError
from lightflow.models.dag import Dag
from lightflow.models.parameters import Option, Parameters
from lightflow.models.workflow_file import execute, find_file


class Workflow:
    """A workflow in this process, loaded from its file or built from DAGs.

    `queue` is the queue from which schedulers take its runs; `clear_data_store` removes the data of a run when it ends.
    `Client.start` and `lightflow.local.run` take it.
    """

    def __init__(self, queue: str = "workflow", clear_data_store: bool = True) -> None:
        self._queue = queue
        self._clear_data_store = clear_data_store
        self._name = ""
        self._docstring = ""
        self._dags: list[Dag] = []
        self._parameters = Parameters()
        self._provided_arguments: dict[str, Any] = {}

    @classmethod
    def from_name(
        cls,
        name: str,
        *,
        queue: str = "workflow",
        clear_data_store: bool = True,
        arguments: Mapping[str, Any] | None = None,
    ) -> Self:
        """The workflow of that name with these start arguments; raises as `load` does."""
        workflow = cls(queue, clear_data_store)
        workflow.load(name, arguments=arguments)
        return workflow

    @classmethod
    def from_dags(
        cls, name: str, dags: Iterable[Dag], *, parameters: Iterable[Option] = (), docstring: str = ""
    ) -> Self:
        """A workflow of DAG objects, without a file; raises WorkflowDefinitionError for two DAGs of one name."""
        workflow = cls()
        workflow._fill(name, docstring, dags, parameters)
        return workflow

    @classmethod
    def of_dag(cls, dag: Dag) -> Self:
        """A workflow of one DAG, named like it; it starts with the run, whether or not it is an `autostart` one."""
        starting = copy.copy(dag)
        starting._autostart = True
        return cls.from_dags(dag.name, [starting])

    @property
    def name(self) -> str:
        """The name of the file without `.py`; empty before it is loaded."""
        return self._name

    @property
    def docstring(self) -> str:
        """The whole docstring; its first line is the short description."""
        return self._docstring

    @property
    def parameters(self) -> Parameters:
        """What it asks of whoever starts it."""
        return self._parameters

    @property
    def dags(self) -> list[Dag]:
        """Its DAGs, in the order of their definition."""
        return self._dags

    @property
    def queue(self) -> str:
        """The queue from which schedulers take its runs."""
        return self._queue

    @property
    def clear_data_store(self) -> bool:
        """Whether the data of a run is removed when it ends."""
        return self._clear_data_store

    @property
    def provided_arguments(self) -> dict[str, Any]:
        """The start arguments, converted and with defaults where they were validated."""
        return self._provided_arguments

    def load(
        self,
        name: str,
        *,
        arguments: Mapping[str, Any] | None = None,
        validate_arguments: bool = True,
        strict_dag: bool = False,
    ) -> None:
        """Execute the workflow file of that name, found in the workflow folders of the configuration or on sys.path.

        Raises WorkflowUnknown, WorkflowImportError, WorkflowDefinitionError, and WorkflowArgumentError unless the
        arguments are not to be validated. With `strict_dag` a file without a DAG is an error too.
        """
        file = find_file(name, Config.folders(), also=sys.path)
        sys.path.extend(folder for folder in Config.library_folders() if folder not in sys.path)
        self.load_file(file, name=name, strict_dag=strict_dag)
        given = dict(arguments or {})
        self._provided_arguments = self._parameters.consolidate(given) if validate_arguments else given

    def load_file(self, path: str | Path, *, name: str | None = None, strict_dag: bool = False) -> ModuleType:
        """Execute this workflow file; the module. Raises WorkflowImportError and WorkflowDefinitionError."""
        file = Path(path)
        name = name or file.stem
        module = execute(file, name)
        objects = list(module.__dict__.values())
        dags = [value for value in objects if isinstance(value, Dag)]
        if strict_dag and not dags:
            reason = "has no DAG at the top of the file; add one, as in `d = Dag('main')`"
            raise WorkflowImportError(f"Workflow {name!r} {reason} (File {str(file)!r})", str(file))
        parameters = [option for value in objects if isinstance(value, Parameters) for option in value]
        self._fill(name, inspect.cleandoc(module.__doc__ or ""), dags, parameters)
        return module

    def _fill(self, name: str, docstring: str, dags: Iterable[Dag], parameters: Iterable[Option]) -> None:
        self._name = name
        self._docstring = docstring
        self._dags = list({id(dag): dag for dag in dags}.values())
        self._parameters = Parameters({id(option): option for option in parameters}.values())
        for dag_name in _twice(dag.name for dag in self._dags):
            reason = f"it has two DAGs named {dag_name!r}; give each DAG its own name"
            raise WorkflowDefinitionError(name, dag_name, reason)
        for option in _twice(option.name for option in self._parameters):
            raise WorkflowArgumentError(f"Workflow {name!r} has two options named {option!r}; take one of them out")


def _twice(names: Iterable[str]) -> list[str]:
    return [name for name, count in Counter(names).items() if count > 1]
