"""The source text of a workflow file, for tracebacks: as the version has it, whatever the file says by now."""

import linecache
from pathlib import Path


def remember(file: str, folder: str | None) -> None:
    """Have tracebacks show lines of the version's copy of the file, which the worker's host may not even have."""
    if folder is None or file in linecache.cache:
        return
    copy = Path(folder) / Path(file).name
    if copy.is_file():
        text = copy.read_text(errors="replace")
        # Without a time of change it is never compared with the file.
        linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
