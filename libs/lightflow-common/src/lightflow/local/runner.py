"""`lightflow.local.run`: a workflow in this process, without any server, for unit tests and notebooks.

The decisions are those of the services, made by the same functions. What differs, because there is one process: what
tasks do to globals and closures is seen by all, and a task whose process would die takes this one with it.
"""

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lightflow.config import Config
from lightflow.core.errors import LightflowException
from lightflow.local.engine import Engine
from lightflow.local.modules import OwnModules
from lightflow.local.result import Result
from lightflow.models.dag import Dag
from lightflow.models.spec import spec_of
from lightflow.models.workflow import Workflow
from lightflow.models.workflow_file import find_file
from lightflow.runtime.datastore.encoding import encode
from lightflow.runtime.datastore.layout import check_arguments


def run(
    workflow: str | Path | Workflow | Dag,
    /,
    *,
    raise_errors: bool = False,
    sleep: Callable[[float], object] = time.sleep,
    **arguments: Any,
) -> Result:
    """Run a workflow (a name, a file, a Workflow, a Dag) with these start arguments to its end, in this process.

    `workflow` is a path when it has a slash or ends in .py, else a name, looked for in the workflow folders of the
    Config that this process loaded last, and here.
    `raise_errors` raises what a task failed or aborted with; `sleep` is how the delays before retries (seconds) are
    waited for. Raises WorkflowUnknown, WorkflowImportError, WorkflowDefinitionError, WorkflowArgumentError.
    """
    file = _file(workflow)
    modules = OwnModules([] if file is None else [file.resolve().parent, *Config.library_folders()])
    with modules.installed():
        loaded = _loaded(workflow, file)
        values = loaded.parameters.consolidate({**loaded.provided_arguments, **arguments})
        check_arguments(values)
        spec = spec_of(loaded, encode=encode)
        tasks = {dag.name: dag.parts()[0] for dag in loaded.dags}
        engine = Engine(spec, tasks, loaded.queue, sleep)
        engine.run(dict(sorted(values.items())))
    result = Result(engine, modules)
    if result.exception is not None and (raise_errors or isinstance(result.exception, KeyboardInterrupt)):
        raise result.exception
    return result


def _file(workflow: object) -> Path | None:
    """The file that is meant; of texts, those are paths that have a slash or end in .py, others are names."""
    if isinstance(workflow, str) and "/" not in workflow and not workflow.endswith(".py"):
        return find_file(workflow, [*Config.folders(), "."], also=sys.path)
    return Path(workflow).expanduser() if isinstance(workflow, str | Path) else None


def _loaded(workflow: object, file: Path | None) -> Workflow:
    if file is not None:
        loaded = Workflow()
        loaded.load_file(file, strict_dag=True)
        return loaded
    if isinstance(workflow, Dag):
        return Workflow.of_dag(workflow)
    if isinstance(workflow, Workflow):
        return workflow
    raise LightflowException(
        f"run takes the name or the file of a workflow, a Workflow or a Dag, not a {type(workflow).__name__}"
    )
