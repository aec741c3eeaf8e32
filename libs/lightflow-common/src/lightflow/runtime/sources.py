"""The source archive of a workflow: the file, what it uses of the files beside it, and the library folders.

The archive is a zip whose bytes depend on the files alone.
"""

import io
import os
import re
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from lightflow.core.errors import LightflowException, WorkflowImportError
from lightflow.runtime.used import files, helpers

_EPOCH = (1980, 1, 1, 0, 0, 0)
_MODE = 0o644 << 16


_UNPACKED = re.compile(r"[^\s'\"]*[/\\][0-9a-f]{64}[/\\]")


def as_given(text: str, folder: Path | None = None) -> str:
    """A message in which uploaded files are called as their owner calls them, not by where a worker unpacked them.

    Their paths begin with the folder they were taken from, where it is known.
    """
    return _UNPACKED.sub(lambda _: f"{folder}{os.sep}" if folder else "", text)


@contextmanager
def said_of(file: Path | None) -> Iterator[None]:
    """Errors of a file that was uploaded say its own path; without a file they are left as they are."""
    try:
        yield
    except LightflowException as error:
        if file is not None:
            error.message = as_given(error.message, file.parent)
        if file is not None and isinstance(error, WorkflowImportError):
            error.file = as_given(error.file, file.parent)
        raise


def gather(file: Path, libraries: Iterable[Path] = ()) -> bytes:
    """The archive of a workflow file; of two files with one place in it the first wins: file, helpers, libraries."""
    folder = file.resolve().parent
    members: dict[str, Path] = {file.name: file}
    for helper in helpers(file):
        members.setdefault(helper.relative_to(folder).as_posix(), helper)
    for library in libraries:
        for source in files(library, "*.py"):
            members.setdefault(source.relative_to(library).as_posix(), source)
    return pack({name: path.read_bytes() for name, path in members.items()})


def pack(members: dict[str, bytes]) -> bytes:
    """A zip of these files, whose bytes depend on nothing else."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(members):
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.compress_type, entry.external_attr, entry.create_system = zipfile.ZIP_DEFLATED, _MODE, 3
            archive.writestr(entry, members[name])
    return buffer.getvalue()


def unpack(archive: bytes, folder: Path) -> None:
    """Extract an archive. Raises zipfile.BadZipFile."""
    with zipfile.ZipFile(io.BytesIO(archive)) as source:
        source.extractall(folder)
