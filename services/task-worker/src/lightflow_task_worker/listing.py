"""What the workflow folders hold, read without executing any of it."""

import ast
import inspect
from collections.abc import Iterable
from pathlib import Path

from lightflow.runtime.used import candidates


def list_workflows(folders: Iterable[Path]) -> list[dict[str, str]]:
    """The workflow files as {name, docstring, error}, by name; of two with one name the first folder's."""
    found: dict[str, dict[str, str]] = {}
    for folder in folders:
        for file in candidates(folder):
            if file.stem not in found and (entry := _describe(file)) is not None:
                found[file.stem] = entry
    return [found[name] for name in sorted(found)]


def _describe(file: Path) -> dict[str, str] | None:
    """The entry of a file; None for one that is no workflow, such as a helper module."""
    try:
        tree = ast.parse(file.read_bytes(), str(file))
    except SyntaxError as error:
        place = f"(File {str(file)!r}, line {error.lineno}: {(error.text or '').strip()})"
        return {"name": file.stem, "docstring": "", "error": f"{type(error).__name__}: {error.msg} {place}"}
    except (OSError, ValueError) as error:
        return {"name": file.stem, "docstring": "", "error": f"{type(error).__name__}: {error}"}
    if not _speaks_of_a_dag(tree):
        return None
    return {"name": file.stem, "docstring": inspect.cleandoc(ast.get_docstring(tree) or ""), "error": ""}


def _speaks_of_a_dag(tree: ast.Module) -> bool:
    return any(
        (isinstance(node, ast.Name) and node.id == "Dag")
        or (isinstance(node, ast.Attribute) and node.attr == "Dag")
        or (isinstance(node, ast.alias) and node.name == "Dag")
        for node in ast.walk(tree)
    )
