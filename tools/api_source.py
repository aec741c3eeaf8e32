"""How a function is called, and what is said below an attribute: read from the code for the API reference."""

import ast
import inspect
import re
from collections.abc import Callable
from itertools import pairwise
from typing import Any

WIDTH = 100
"""Characters of a signature that stays in one line."""


def attribute_docs(source: str) -> dict[str, str]:
    """What the strings below the attributes of a module or class say."""
    tree = ast.parse(inspect.cleandoc(source) if source.startswith(" ") else source)
    body = tree.body[0].body if len(tree.body) == 1 and isinstance(tree.body[0], ast.ClassDef) else tree.body
    docs: dict[str, str] = {}
    for one, below in pairwise(body):
        targets = one.targets if isinstance(one, ast.Assign) else [one.target] if isinstance(one, ast.AnnAssign) else []
        if isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant) and isinstance(below.value.value, str):
            docs.update({target.id: below.value.value for target in targets if isinstance(target, ast.Name)})
    return docs


def annotation(given: object) -> str:
    """A type as it is written, without the modules that it comes from."""
    text = given if isinstance(given, str) else inspect.formatannotation(given)
    return re.sub(r"~|\b(?:[a-z_]\w*\.)+(?=\w)", "", text).replace('"', "").replace("'", "")


def signature(thing: Callable[..., Any], name: str) -> str:
    """How it is called, in one line or one for each parameter."""
    try:
        found = inspect.signature(thing)
    except ValueError:
        return name
    parts = list(found.parameters.values())
    parts = parts[1:] if parts and parts[0].name in ("self", "cls") else parts
    shown = [str(part.replace(annotation=part.empty)) for part in parts]
    for index, part in enumerate(parts):
        if part.annotation is not part.empty:
            written, _, default = shown[index].partition("=")
            shown[index] = f"{written}: {annotation(part.annotation)}" + (f" = {_plain(default)}" if default else "")
    for kind, mark in ((inspect.Parameter.KEYWORD_ONLY, "*"), (inspect.Parameter.POSITIONAL_ONLY, "/")):
        places = [index for index, part in enumerate(parts) if part.kind is kind]
        if places and mark == "*" and not any(part.kind is part.VAR_POSITIONAL for part in parts):
            shown.insert(places[0], mark)
        elif places and mark == "/":
            shown.insert(places[-1] + 1, mark)
    returned = found.return_annotation
    after = "" if inspect.isclass(thing) or returned is found.empty else f" -> {annotation(returned)}"
    line = f"{name}({', '.join(shown)}){after}"
    return line if len(line) <= WIDTH else f"{name}(\n    " + ",\n    ".join(shown) + f",\n){after}"


def _plain(default: str) -> str:
    """A default as one would write it: the name of a type or function, `...` for what is made anew each time."""
    named = re.sub(r"<(?:class|built-in function|function) '?([\w.]+)'?[^>]*>", r"\1", default)
    return named.replace("<factory>", "...")
