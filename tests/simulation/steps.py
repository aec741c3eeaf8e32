"""Every durable step of the product, as the code has it: the functions that write to MongoDB or send to redis."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import lightflow
import lightflow_dag_runner
import lightflow_scheduler
import lightflow_task_worker
from lightflow.runtime.failpoints import WRITES

SENDS = frozenset({"send", "execute", "publish"})

PACKAGES = {
    "lightflow.runtime": Path(lightflow.__file__).parent / "runtime",
    "lightflow_scheduler": Path(lightflow_scheduler.__file__).parent,
    "lightflow_dag_runner": Path(lightflow_dag_runner.__file__).parent,
    "lightflow_task_worker": Path(lightflow_task_worker.__file__).parent,
}


@dataclass(frozen=True, order=True)
class Step:
    """A function, as module:name, and whether it writes or sends."""

    name: str
    writes: bool


def all_steps() -> set[Step]:
    """The steps of the services and of the library's runtime."""
    steps: set[Step] = set()
    for package, folder in PACKAGES.items():
        for file in sorted(folder.rglob("*.py")):
            parts = file.relative_to(folder).with_suffix("").parts
            module = ".".join((package, *(part for part in parts if part != "__init__")))
            steps.update(_steps(ast.parse(file.read_text()), f"{module}:"))
    return steps


def _steps(node: ast.AST, prefix: str) -> Iterator[Step]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.ClassDef):
            yield from _steps(child, f"{prefix}{child.name}.")
        elif isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from _calls(child, prefix + child.name)
        else:
            yield from _steps(child, prefix)


def _calls(function: ast.AST, name: str) -> Iterator[Step]:
    for node in ast.walk(function):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            if node.func.attr in WRITES:
                yield Step(name, writes=True)
            elif node.func.attr in SENDS and _is_send(node.func.value):
                yield Step(name, writes=False)


def _is_send(target: ast.expr) -> bool:
    """Whether what is called is something that sends: told by its name."""
    last = target.attr if isinstance(target, ast.Attribute) else target.id if isinstance(target, ast.Name) else ""
    return last in {"hints", "_hints", "pipeline", "producer"}
