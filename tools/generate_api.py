"""Generate docs/api from the docstrings and signatures of the public modules; with --check only compare."""

import dataclasses
import inspect
import sys
from collections.abc import Callable, Iterator
from enum import Enum
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from api_source import WIDTH, annotation, attribute_docs, signature

from lightflow.models.exceptions import LightflowException

FOLDER = Path(__file__).resolve().parents[1] / "docs/api"
MODULES = {
    "lightflow.client": "start runs and look after them; what a program uses first",
    "lightflow.models": "what workflow files and task types are made of",
    "lightflow.models.exceptions": "every error",
    "lightflow.tasks": "the task types that ship",
    "lightflow.local": "run a workflow in this process, for tests",
    "lightflow.workflows": "start, stop and list workflows: functions over a configuration",
    "lightflow.workers": "start, stop and list workers: functions over a configuration",
    "lightflow": "the version, and the configuration by a shorter name",
    "lightflow.config": "load a configuration",
    "lightflow.queue": "what jobs and their events are called",
    "lightflow.queue.const": "the same names, where they are defined",
    "lightflow.queue.models": "jobs and workers, as the functions list them",
    "lightflow.queue.event": "events, as the functions give them",
    "lightflow.logger": "loggers",
}
GIVEN = frozenset({"DagSignal", "DataStoreDocument", "Result", "Run"})
"""Classes whose objects are given to users, and made by nobody else."""

INNER = frozenset({"BaseTask.options", "DataStore.call", "Dag.parts", "Option.spec"})
"""What other packages of Lightflow need, and users do not."""

INTRODUCTION = """# API reference

What is public, generated from the code; whatever is not on these pages may change between releases. Times are seconds
unless a page says otherwise. The [tutorial](../tutorial/index.md) shows how it is used.

| module | for |
|---|---|
"""


class UndocumentedError(Exception):
    """A public name without a docstring."""


def docstring(thing: object, name: str) -> str:
    text = inspect.cleandoc(thing.__doc__ or "")
    if not text or (inspect.isclass(thing) and text.startswith(f"{thing.__name__}(")):  # as dataclasses make them
        raise UndocumentedError(f"{name} has no docstring")
    return text


def called(thing: Callable[..., Any], name: str) -> list[str]:
    return ["```text", signature(thing, name), "```", ""]


def members(cls: type) -> dict[str, Any]:
    """The public attributes that the class itself has, fields of dataclasses and annotated ones included."""
    own = dict.fromkeys(inspect.get_annotations(cls)) | dict(vars(cls))
    return {
        key: value for key, value in own.items() if not key.startswith("_") and f"{cls.__name__}.{key}" not in INNER
    }


def attributes(cls: type, name: str) -> Iterator[str]:
    """A table of what is read from an instance or from the class."""
    told, types = attribute_docs(inspect.getsource(cls)), inspect.get_annotations(cls)
    rows = []
    for attribute, value in members(cls).items():
        if isinstance(value, property):
            kind = annotation(inspect.signature(value.fget).return_annotation) if value.fget else ""
            rows.append((attribute, kind, docstring(value, f"{name}.{attribute}").replace("\n", " ")))
        elif attribute in types and not annotation(types[attribute]).startswith("ClassVar"):
            rows.append((attribute, annotation(types[attribute]), told.get(attribute, "")))
        elif isinstance(value, Enum | str | int) and not issubclass(cls, Exception):
            rows.append((attribute, repr(getattr(value, "value", value)), told.get(attribute, "")))
    if rows:
        explained = any(row[2] for row in rows)
        constants = not any(
            attribute in types or isinstance(vars(cls).get(attribute), property) for attribute, *_ in rows
        )
        header = ["attribute", "value" if constants else "type", *(["what"] if explained else [])]
        yield from (f"| {' | '.join(header)} |", "|---" * len(header) + "|")
        for attribute, kind, what in rows:
            cells = [f"`{attribute}`", f"`{kind}`", *([what] if explained else [])]
            yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"
        yield ""


def bases(cls: type) -> str:
    """What it is a kind of, among what users know."""
    own = [base for base in cls.__bases__ if base.__module__.startswith("lightflow") or base in (list, dict)]
    known = [base.__name__ for base in own if base is not LightflowException]
    return f"A kind of `{'`, `'.join(known)}`." if known else ""


def of_class(cls: type, name: str) -> Iterator[str]:
    is_record = dataclasses.is_dataclass(cls) and not issubclass(cls, Exception)
    if "__init__" in vars(cls) and not is_record and name not in GIVEN:
        yield from called(cls, name)
    yield from (docstring(cls, name), "")
    if kind := bases(cls):
        yield from (kind, "")
    if issubclass(cls, Exception):
        return
    yield from attributes(cls, name)
    for method, value in members(cls).items():
        function = value.__func__ if isinstance(value, classmethod | staticmethod) else value
        if inspect.isfunction(function):
            yield from (f"### `{name}.{method}`", "", *called(function, method))
            yield from (docstring(function, f"{name}.{method}"), "")


def defined_below(module: ModuleType, name: str) -> str | None:
    """The module further down that offers the same thing, and whose page tells about it."""
    deeper = [found for found in MODULES if found.startswith(f"{module.__name__}.")]
    thing = getattr(module, name)
    return next((found for found in deeper if getattr(import_module(found), name, None) is thing), None)


def of_name(module: ModuleType, name: str, told: dict[str, str]) -> Iterator[str]:
    """The section of one public name."""
    thing = getattr(module, name)
    yield from (f"## `{name}`", "")
    if (home := defined_below(module, name)) is not None:
        yield from (f"See [`{home}.{name}`]({home}.md#{name.lower()}).", "")
    elif inspect.isclass(thing):
        yield from of_class(thing, name)
    elif callable(thing):
        yield from (*called(thing, name), docstring(thing, name), "")
    else:
        if name not in told:
            raise UndocumentedError(f"{module.__name__}.{name} has no docstring below it")
        value = repr(thing) if len(repr(thing)) < WIDTH else type(thing).__name__
        yield from (f"`{value}`. {told[name]}", "")


def page(module_name: str) -> str:
    """The page of a module: what it is, and every name that it offers."""
    module = import_module(module_name)
    told = attribute_docs(inspect.getsource(module))
    lines = [f"# `{module_name}`", "", docstring(module, module_name), ""]
    for name in module.__all__:
        lines += of_name(module, name, told)
    return "\n".join(lines).rstrip() + "\n"


def pages() -> dict[str, str]:
    """Every file of the folder with its text."""
    rows = [f"| [`{name}`]({name}.md) | {purpose} |" for name, purpose in MODULES.items()]
    return {"index.md": INTRODUCTION + "\n".join(rows) + "\n", **{f"{name}.md": page(name) for name in MODULES}}


def main() -> None:
    fresh = pages()
    there = {file.name: file.read_text() for file in FOLDER.glob("*.md")}
    if "--check" not in sys.argv:
        FOLDER.mkdir(exist_ok=True)
        for name in there.keys() - fresh.keys():
            (FOLDER / name).unlink()
        for name, text in fresh.items():
            (FOLDER / name).write_text(text)
    elif stale := sorted(name for name in fresh.keys() | there.keys() if fresh.get(name) != there.get(name)):
        sys.exit(f"docs/api differs from the code in {', '.join(stale)}; run `make reference` and commit the result")


if __name__ == "__main__":
    main()
