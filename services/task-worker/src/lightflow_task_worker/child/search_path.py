"""What a workflow file changes in `sys.path`: its tasks find the modules that it found."""

import sys
from pathlib import Path

Changes = tuple[list[str], list[str]]
"""Entries at the front and at the back; relative ones are meant from the folder of the version's sources."""


def changes(before: list[str], folder: Path) -> Changes:
    """How `sys.path` differs from what it was before a file of this folder was executed."""
    kept = min((sys.path.index(entry) for entry in before if entry in sys.path), default=0)
    found: Changes = [], []
    for index, entry in enumerate(sys.path):
        if entry not in before:
            path = Path(entry).resolve()
            inside = path.is_relative_to(folder.resolve())
            found[index > kept].append(str(path.relative_to(folder.resolve()) if inside else path))
    return found


def apply(found: Changes, folder: str | None) -> None:
    """Search there too; an entry that is not on this host does no harm."""
    front, back = ([str(Path(folder or "", entry)) for entry in entries] for entries in found)
    sys.path[:] = [*front, *sys.path, *back]
