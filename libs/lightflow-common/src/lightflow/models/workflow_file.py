"""Finding and executing workflow files."""

import importlib.util
import linecache
import sys
import traceback
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from lightflow.core.errors import (
    DirectedAcyclicGraphInvalid,
    DirectedAcyclicGraphUndefined,
    PythonMismatch,
    WorkflowDefinitionError,
    WorkflowImportError,
    WorkflowUnknown,
)


def find_file(name: str, folders: Iterable[str | Path], also: Iterable[str | Path] = ()) -> Path:
    """The file of the workflow of that name in the first folder that has it; raises WorkflowUnknown.

    The error tells of `folders` only, not of the places that are searched as well.
    """
    places = list(dict.fromkeys(Path(folder or ".") for folder in folders))
    if name and not set(name) & set("/\\\0") and all(name.split(".")):
        *packages, module = name.split(".")
        for place in (*places, *(Path(folder or ".") for folder in also)):
            file = place.joinpath(*packages, f"{module}.py")
            if file.is_file():
                return file
    known = sorted({file.stem for place in places if place.is_dir() for file in place.glob("*.py")})
    raise WorkflowUnknown(name, tuple(known), tuple(map(str, places)))


def execute(file: Path, name: str) -> ModuleType:
    """Execute the file afresh as the module `name`; modules beside it can be imported, then and later.

    Raises WorkflowImportError with the place in the user's code, WorkflowDefinitionError for a DAG that is none.
    """
    if not file.is_file():
        raise WorkflowImportError(f"There is no workflow file {str(file)!r}", str(file))
    folder = str(file.resolve().parent)
    if folder not in sys.path:
        sys.path.insert(0, folder)
    module = _new_module(file, name)
    linecache.checkcache(str(file))
    try:
        # compiled here and not by the import system, whose cache takes two edits within a second for one
        exec(compile(file.read_bytes(), str(file), "exec", dont_inherit=True), module.__dict__)  # noqa: S102
    except (DirectedAcyclicGraphInvalid, DirectedAcyclicGraphUndefined) as error:
        reason = f"{error.message}{_place_of(error, file).told}"
        raise WorkflowDefinitionError(name, error.graph_name, reason) from error
    except PythonMismatch:  # by a file that revives what another Python pickled: nothing in it is wrong
        raise
    except (Exception, SystemExit) as error:
        place = _place_of(error, file)
        what = error.msg if isinstance(error, SyntaxError) else str(error)
        message = f"{type(error).__name__}: {what}{place.told}"
        raise WorkflowImportError(message, place.file, place.line, place.text) from error
    return module


def _new_module(file: Path, name: str) -> ModuleType:
    """An empty module in sys.modules; a file named like another module must not take that one's place."""
    taken = name in sys.stdlib_module_names or getattr(sys.modules.get(name), "__file__", str(file)) != str(file)
    spec = importlib.util.spec_from_file_location(f"{name}_workflow" if taken else name, file)
    assert spec is not None  # the file ends in .py
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    return module


@dataclass(frozen=True, slots=True)
class _Place:
    file: str
    line: int
    text: str

    @property
    def told(self) -> str:
        return f" (File {self.file!r}, line {self.line}{': ' if self.text else ''}{self.text})"


def _place_of(error: BaseException, file: Path) -> _Place:
    """The line of the user's code that is to blame: the broken syntax, or the deepest frame in the file's folder."""
    if isinstance(error, SyntaxError) and error.filename and Path(error.filename).is_file():
        return _Place(error.filename, error.lineno or 0, (error.text or "").strip())
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if _is_own(frame.filename, file)]
    if not own:
        return _Place(str(file), 0, "")
    return _Place(own[-1].filename, own[-1].lineno or 0, own[-1].line or "")


def _is_own(filename: str, file: Path) -> bool:
    path = Path(filename).resolve()
    return path.is_relative_to(file.resolve().parent) and "site-packages" not in path.parts
