"""`python -m lightflow.runtime.workflow_child`: says what workflow files hold.

Reads {files: {name: path}, libraries, limit (seconds)} as JSON from stdin, answers with a list on stdout. Each file is
executed in a fork of this process, which has loaded the models and nothing else: no file meets another, and one that
hangs, ends its process or crashes is told of like any other mistake.
"""

import importlib
import json
import os
import select
import signal
import sys
import time
from pathlib import Path
from typing import Any

from lightflow.core.errors import LightflowException, LoadTimeout
from lightflow.models.spec import spec_of
from lightflow.models.workflow import Workflow
from lightflow.runtime.datastore.encoding import encode

CHUNK = 64 * 1024

Found = dict[str, Any]


def main() -> None:
    """Answer one request."""
    request = json.load(sys.stdin)
    with os.fdopen(os.dup(1), "w") as answer:
        os.dup2(2, 1)  # what a file prints while it loads is no answer
        found = [describe(name, file, request) for name, file in request["files"].items()]
        json.dump([each for each in found if each is not None], answer)


def describe(name: str, file: str, request: Found) -> Found | None:
    """What a file holds; None for one that is no workflow, such as a helper module."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reader)
        _answer(writer, name, file, request["libraries"])
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        text = _read(pipe.fileno(), request["limit"])
    if text is None:
        os.kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    if text is None:
        return _broken(name, file, str(LoadTimeout(name=name, seconds=request["limit"])))
    if not text:
        return _broken(name, file, f"the process that loaded it {_ended(os.waitstatus_to_exitcode(status))}")
    found: Found | None = json.loads(text)
    return found


def _answer(writer: int, name: str, file: str, libraries: list[str]) -> None:
    """In the fork: execute the file, write what it holds, end."""
    try:
        found = _load(name, file, libraries)
    except LightflowException as error:
        found = _broken(name, file, str(error))
    except BaseException as error:
        found = _broken(name, file, f"{type(error).__name__}: {error}")
    with os.fdopen(writer, "w") as pipe:
        json.dump(found, pipe)
    sys.stdout.flush()
    os._exit(0)


def _load(name: str, file: str, libraries: list[str]) -> Found | None:
    # A byte code file would hide an edit that follows within the second, of the same length.
    sys.dont_write_bytecode = True
    sys.path[:0] = [str(Path(file).parent), *libraries]
    importlib.invalidate_caches()
    workflow = Workflow()
    workflow.load_file(file, name=name)
    if not workflow.dags:
        return None
    spec_of(workflow, encode=encode)  # finds what else a start would refuse
    options = [
        {"name": option.name, "default": _plain(option.default), "help": option.help, "type": _name(option.type)}
        for option in workflow.parameters
    ]
    return {"name": name, "docstring": workflow.docstring, "parameters": options, "error": ""}


def _broken(name: str, file: str, error: str) -> Found | None:
    if b"lightflow" not in Path(file).read_bytes():
        return None  # a helper module that does not stand by itself, and no workflow
    return {"name": name, "docstring": "", "parameters": [], "error": error}


def _read(descriptor: int, limit: float) -> bytes | None:
    """All that comes before the other end closes; None when that takes too long."""
    deadline, pieces = time.monotonic() + limit, list[bytes]()
    while select.select([descriptor], [], [], max(deadline - time.monotonic(), 0.0))[0]:
        piece = os.read(descriptor, CHUNK)
        if not piece:
            return b"".join(pieces)
        pieces.append(piece)
    return None


def _ended(returncode: int) -> str:
    return f"was killed by {signal.Signals(-returncode).name}" if returncode < 0 else f"ended with code {returncode}"


def _plain(value: Any) -> Any:
    return value if value is None or isinstance(value, str | int | float | bool | list | dict) else repr(value)


def _name(kind: Any) -> str:
    return str(getattr(kind, "__name__", kind))


if __name__ == "__main__":
    main()
