"""The workflows of some folders, without a running system: each file is executed in a child process of its own."""

import json
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lightflow.models import Option, Parameters
from lightflow.runtime.used import candidates

CHILD = "lightflow.runtime.workflow_child"

_TYPES: dict[str, Any] = {kind.__name__: kind for kind in (str, int, float, bool)}


@dataclass(frozen=True, slots=True)
class ListedWorkflow:
    """A workflow file."""

    name: str
    """the name of the file without `.py`"""
    docstring: str
    """whole; the first line is the short description"""
    parameters: Parameters = field(default_factory=Parameters)
    """each with `name`, `default`, `help` and `type`"""
    error: str = ""
    """why it does not load, empty when it does"""


def loaded(folders: Sequence[str], libraries: Sequence[str], limit: float) -> list[ListedWorkflow]:
    """The workflows by name; `limit` is how long one may take to load, in seconds."""
    files = workflow_files(folders)
    if not files:
        return []
    request = {"files": files, "libraries": list(libraries), "limit": limit}
    # -P: the folder that a person happens to be in must not shadow what Lightflow imports
    command = [sys.executable, "-P", "-m", CHILD]
    answer = subprocess.run(command, input=json.dumps(request), stdout=subprocess.PIPE, text=True, check=True)
    return [_listed(found) for found in json.loads(answer.stdout)]


def workflow_files(folders: Iterable[str]) -> dict[str, str]:
    """The files that may be workflows, by name; of two with one name the first folder's."""
    found: dict[str, str] = {}
    for folder in map(Path, folders):
        for file in candidates(folder):
            found.setdefault(file.stem, str(file))
    return dict(sorted(found.items()))


def _listed(found: dict[str, Any]) -> ListedWorkflow:
    options = (
        Option(option["name"], option["default"], option["help"], _TYPES.get(option["type"], option["type"]))
        for option in found["parameters"]
    )
    return ListedWorkflow(found["name"], found["docstring"], Parameters(options), found["error"])
