"""Which workflow is meant by NAME|FILE: one that the system knows by name, or a file here that is uploaded."""

import difflib
import os
from dataclasses import dataclass
from pathlib import Path

from lightflow.cli.errors import WrongInput


@dataclass(frozen=True, slots=True)
class Named:
    """A workflow that the system has."""

    name: str


@dataclass(frozen=True, slots=True)
class File:
    """A workflow file on this machine; it exists."""

    path: Path

    @property
    def name(self) -> str:
        return self.path.stem


def find_source(text: str) -> Named | File:
    """What the text means: with a slash, or ending in .py, a file; else a name. Refuses a file that is not there."""
    if os.sep not in text and not text.endswith(".py"):
        if not text.strip():
            raise WrongInput("The name of the workflow is empty")
        return Named(text)
    path = Path(text).expanduser()
    if path.is_file():
        if path.suffix != ".py":
            raise WrongInput(f"{text} is no workflow file: its name does not end in .py")
        return File(path.resolve())
    if path.is_dir():
        raise WrongInput(f"{text} is a folder; name one of the files in it{_listed(_files_in(path), text)}")
    raise WrongInput(_missing(path, text))


def _missing(path: Path, text: str) -> str:
    if not path.parent.is_dir():
        return f"There is no file {text}: the folder {path.parent} does not exist"
    files = _files_in(path.parent)
    near = difflib.get_close_matches(path.name, files, n=3, cutoff=0.5)
    if near:
        places = " or ".join(str(path.parent / name) if os.sep in text else name for name in near)
        return f"There is no file {text}; did you mean {places}?"
    return f"There is no file {text}{_listed(files, text)}"


def _files_in(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.glob("*.py"))


def _listed(files: list[str], text: str) -> str:
    if not files:
        return f"; no workflow file lies there. A workflow of the system is named without .py: {Path(text).stem}"
    return f"; there are: {', '.join(files[:8])}{', ...' if len(files) > 8 else ''}"
