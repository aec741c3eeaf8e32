"""Workflows that were built in a notebook or a script, on their way to the task workers.

The objects travel as a pickle beside a small generated workflow file that revives them, in an archive like that of any
other workflow. Functions and classes of `__main__`, and of modules that cannot be imported by their name, are pickled
by value; other modules of the user's own travel as source files.
"""

import pickle
import pickletools
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from functools import cache
from io import BytesIO
from pathlib import Path
from types import ModuleType
from typing import Any

import cloudpickle

from lightflow.core.errors import PythonMismatch, WorkflowUnpicklable
from lightflow.models.parameters import Parameters
from lightflow.models.workflow import Workflow
from lightflow.runtime import sources, used
from lightflow.runtime.pickling import dumps

PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"

_FILE = b"""from lightflow.runtime.shipping import revive

globals().update(revive(__name__, __file__))
"""


def ship(workflow: Workflow) -> bytes:
    """The archive of a workflow that is no file. Raises WorkflowUnpicklable."""
    place = workflow.name.replace(".", "/")
    code = _pickled(workflow, place.partition("/")[0])
    members = {f"{place}.py": _FILE, f"{place}.pickle": pickle.dumps((PYTHON, code))}
    for folder, names in _imported(code).items():
        for source in used.modules(folder, names):
            members.setdefault(source.relative_to(folder).as_posix(), source.read_bytes())
    return sources.pack(members)


def revive(name: str, file: str) -> dict[str, Any]:
    """What the generated file holds. Executes what the sender pickled; raises PythonMismatch."""
    made_with, code = pickle.loads(Path(file).with_suffix(".pickle").read_bytes())  # noqa: S301
    if made_with != PYTHON:
        raise PythonMismatch(name, made_with, PYTHON)
    docstring, parameters, dags = pickle.loads(code)  # noqa: S301
    return {
        "__doc__": docstring,
        "parameters": Parameters(parameters),
        **{f"dag_{number}": dag for number, dag in enumerate(dags)},
    }


def loads(data: bytes) -> Any:
    """Unpickle what came back. A class that this process has already stays as it is here."""
    return _Unpickler(BytesIO(data)).load()


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        found = super().find_class(module, name)
        if name != "_class_setstate" or not module.startswith("cloudpickle."):
            return found
        return lambda cls, state: cls if _is_at_home(cls) else found(cls, state)


def _is_at_home(cls: type) -> bool:
    found: Any = sys.modules.get(cls.__module__)
    for name in cls.__qualname__.split("."):
        found = getattr(found, name, None)
    return found is cls


def _pickled(workflow: Workflow, generated: str) -> bytes:
    """The objects as bytes; modules of the name of the generated file could not be imported beside it."""
    with ExitStack() as stack:
        for name, module in list(sys.modules.items()):
            if name != "__main__" and _is_own(module) and (name == generated or _folder_of(module) is None):
                cloudpickle.register_pickle_by_value(module)
                stack.callback(cloudpickle.unregister_pickle_by_value, module)
        try:
            return dumps((workflow.docstring, list(workflow.parameters), workflow.dags))
        except Exception:
            _raise_for_task(workflow)
            raise


def _raise_for_task(workflow: Workflow) -> None:
    for task in (task for dag in workflow.dags for task in dag.parts()[0]):
        try:
            dumps(task)
        except Exception as error:
            raise WorkflowUnpicklable(task.name, str(error)) from error


def _imported(code: bytes) -> dict[Path, set[str]]:
    """The user's own modules that the pickle, or the script that runs here, imports: top-level names by folder."""
    found: dict[Path, set[str]] = {}
    for module in _named(text for op, text, _ in pickletools.genops(code) if isinstance(text, str)):
        folder = _folder_of(module) if _is_own(module) else None
        if folder is not None:
            found.setdefault(folder, set()).add(module.__name__.partition(".")[0])
    main = vars(sys.modules["__main__"]).get("__file__")
    if isinstance(main, str) and _is_own(sys.modules["__main__"]) and (script := Path(main).resolve()).is_file():
        found.setdefault(script.parent, set()).update(used.imported(script))
    return found


def _named(texts: Iterable[str]) -> Iterator[ModuleType]:
    for text in {text for several in texts for text in several.split(" ")}:  # genops joins module and name
        if text != "__main__" and text in sys.modules:
            yield sys.modules[text]


def _folder_of(module: ModuleType) -> Path | None:
    """The folder on the path from which the module is imported by its name; None where there is none."""
    file = Path(vars(module)["__file__"]).resolve()
    place = file.parent if file.stem == "__init__" else file.with_suffix("")
    for entry in sys.path:
        folder = Path(entry or ".").resolve()
        if place == folder.joinpath(*module.__name__.split(".")):
            return folder
    return None


def _is_own(module: ModuleType) -> bool:
    """Whether it has a source file that is part of neither Python, an installed package, nor Lightflow."""
    file = vars(module).get("__file__")
    if not isinstance(file, str) or not file.endswith(".py") or "site-packages" in file or "dist-packages" in file:
        return False
    path = Path(file).resolve()
    return not any(path.is_relative_to(folder) for folder in _not_own())


@cache
def _not_own() -> tuple[Path, ...]:
    library = Path(__file__).parents[1]
    return library.resolve(), *(Path(sysconfig.get_path(name)).resolve() for name in ("stdlib", "platstdlib"))
