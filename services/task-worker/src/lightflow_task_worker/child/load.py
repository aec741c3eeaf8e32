"""A child that executes one workflow file, says what it defines, and ends.

The request has `file`, `name`, `libraries` and `limit` (seconds). The answer has the workflow as data and says which
tasks each shard holds; its parts are the source archive and the shards. Or it has the error.
"""

import contextlib
import faulthandler
import importlib
import random
import socket
import sys
from pathlib import Path

from lightflow.core.errors import LightflowException, LoadTimeout, WorkflowImportError
from lightflow.models.attempt import error_info
from lightflow.models.spec import spec_of
from lightflow.models.workflow import Workflow
from lightflow.runtime.datastore.encoding import encode
from lightflow.runtime.sources import gather
from lightflow_task_worker.child import pickles, restore, search_path, shards
from lightflow_task_worker.child.alarm import Alarm
from lightflow_task_worker.frames import BlockingPipe, Buffer, Header, PipeClosedError


def serve(descriptors: list[int]) -> None:
    """Answer one request; the descriptors are the pipe and the output."""
    pipe, output = descriptors
    restore.capture(output)
    faulthandler.enable()
    random.seed()
    line = BlockingPipe(socket.socket(fileno=pipe))
    with contextlib.suppress(PipeClosedError):
        request, _ = line.receive()
        header, parts = _answer(request)
        line.send(header, parts)


def serve_ahead(descriptors: list[int]) -> None:
    """The same for a request that nobody makes yet."""
    with contextlib.suppress(Exception):  # what is wrong is told where a file is asked for
        rehearse()
    serve(descriptors)


def rehearse() -> Header:
    """Load a workflow before somebody waits for it, and leave no trace of that; the answer that it would get.

    What is done first takes three times as long: memory shared with the guardian is copied where it is written to.
    """
    path, modules = list(sys.path), set(sys.modules)
    file = Path(__file__).with_name("rehearsal.py")
    try:
        header, _ = _load({"file": str(file), "name": file.stem, "libraries": []})
    finally:
        sys.path[:] = path
        for name in sys.modules.keys() - modules:
            del sys.modules[name]
    return header


def _answer(request: Header) -> tuple[Header, list[Buffer]]:
    alarm = Alarm()
    try:
        alarm.arm(request["limit"], LoadTimeout(name=request["name"], seconds=request["limit"]))
        answer = _load(request)
        alarm.disarm()
    except LightflowException as error:
        alarm.disarm()
        shown = error_info(error.__cause__ or error)
        return {"error": {**error.to_json(), "message": str(error), "traceback": shown.traceback}}, []
    except BaseException as error:
        alarm.disarm()
        shown = error_info(error)
        message = f"{shown.type}: {shown.message}"
        wrapped = WorkflowImportError(message, request["file"])
        return {"error": {**wrapped.to_json(), "message": message, "traceback": shown.traceback}}, []
    return answer


def _load(request: Header) -> tuple[Header, list[Buffer]]:
    file, libraries = Path(request["file"]), [Path(folder) for folder in request["libraries"]]
    # A byte code file would hide an edit that follows within the second, of the same length.
    sys.dont_write_bytecode = True
    sys.path[:0] = [str(file.parent), *map(str, libraries)]
    importlib.invalidate_caches()
    before = list(sys.path)
    workflow = Workflow()
    module = workflow.load_file(file, name=request["name"], strict_dag=True)
    path = search_path.changes(before, file.parent)
    spec = spec_of(workflow, encode=encode)
    entries: list[Header] = []
    parts: list[Buffer] = []
    with pickles.by_value(module, file.read_bytes()):
        for dag in workflow.dags:
            for first, tasks in shards.split(dag.parts()[0]):
                entries.append({"dag": dag.name, "first": first, "last": first + len(tasks) - 1})
                parts.append(shards.pack(str(file), first, tasks, path))
    archive = gather(file, libraries)
    return {"spec": spec.to_json(), "shards": entries}, [archive, *parts]
