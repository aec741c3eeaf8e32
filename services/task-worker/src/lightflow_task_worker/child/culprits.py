"""What exactly cannot be pickled, for an error that names it. Runs only once pickling has failed."""

from collections.abc import Iterator
from types import FunctionType
from typing import Any

from cloudpickle import cloudpickle as internals

from lightflow.models.task_data import TaskData
from lightflow.runtime.pickling import dumps


def culprit_in_data(data: TaskData, error: BaseException) -> str:
    """Which key of the data holds it, and why it cannot be pickled."""
    for key, value in data.data.items():
        if (reason := _reason(value)) is not None:
            return f"key {key!r} ({reason})"
    return _text(error)


def culprit_in_task(task: Any, error: BaseException) -> str:
    """Which attribute of the task, or global of its functions, holds it, and why it cannot be pickled."""
    for name, value in vars(task).items():
        if (reason := _reason(value)) is not None:
            return _deepest(value, f"its {name.lstrip('_')}", reason, set())
    return _text(error)


def _deepest(value: Any, path: str, reason: str, seen: set[int]) -> str:
    """Follow functions and containers down to what is at fault by itself."""
    if id(value) in seen:
        return f"{path} ({reason})"
    seen.add(id(value))
    for name, inner in _inside(value):
        if (why := _reason(inner)) is not None:
            return _deepest(inner, name.format(path), why, seen)
    return f"{path} ({reason})"


def _inside(value: Any) -> Iterator[tuple[str, Any]]:
    """What a value consists of, each with a name in which {} stands for that of the whole."""
    if isinstance(value, FunctionType):
        code = value.__code__
        where = _literal(f"which {value.__name__}() uses (File {code.co_filename!r}, line {code.co_firstlineno})")
        for name in internals._extract_code_globals(code):
            if name in value.__globals__:
                yield f"the global {name!r}, {where}", value.__globals__[name]
        for name, cell in zip(code.co_freevars, value.__closure__ or (), strict=True):
            yield f"the variable {name!r}, {where}", cell.cell_contents
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield "{}, key " + _literal(repr(key)), inner


def _literal(text: str) -> str:
    """A text that str.format leaves as it is."""
    return text.replace("{", "{{").replace("}", "}}")


def _reason(value: Any) -> str | None:
    """Why the value cannot be pickled; None when it can."""
    try:
        dumps(value)
    except Exception as error:
        return _text(error)
    return None


def _text(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
