# ruff: noqa: N818 - named like the rest of the family
"""Folders for what others must not read or put there."""

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from lightflow.core.errors import StackError


@dataclass(eq=False, repr=False)
class FolderUnsafe(StackError):
    """A folder that must be ours alone belongs to somebody else, or lets others in."""

    folder: str
    template = (
        "{self.folder} is not a private folder of yours; remove it, or set TMPDIR to a folder that only you can write"
    )


def make_private(folder: Path) -> None:
    """Make a folder that only we can enter; raises FolderUnsafe when it exists and is not so."""
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or stat.S_IMODE(found.st_mode) & 0o077:
        raise FolderUnsafe(str(folder))
