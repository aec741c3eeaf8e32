"""Shards: the code of some tasks of a DAG as bytes. Only children look into them."""

import pickle
from collections.abc import Iterator
from typing import Any

from lightflow.core.errors import WorkflowUnpicklable
from lightflow.models.base_task import BaseTask
from lightflow.runtime.pickling import dumps
from lightflow_task_worker.child import pickles, search_path
from lightflow_task_worker.child.culprits import culprit_in_task

SHARD = 64
"""Tasks in a shard: what a worker fetches at once."""
GROUP = 8
"""Tasks in one pickle: a child unpickles all of them to run one, and the file's globals lie in each pickle."""
LARGE = 1 << 20
"""From this many bytes on, the tasks of a shard share one pickle: then it is globals that weigh."""


def split(tasks: list[BaseTask]) -> Iterator[tuple[int, list[BaseTask]]]:
    """The tasks of a DAG by shard, each with the index of its first."""
    for first in range(0, len(tasks), SHARD):
        yield first, tasks[first : first + SHARD]


def pack(file: str, first: int, tasks: list[BaseTask], path: search_path.Changes = ([], [])) -> bytes:
    """Tasks of a DAG as bytes; `unpack` gives them back. `path` is what their file changed in `sys.path`."""
    groups = _groups(first, tasks, size := GROUP)
    if len(groups) > 1 and sum(map(len, groups)) > LARGE:
        groups = _groups(first, tasks, size := SHARD)
    code = {"file": file, "first": first, "size": size, "groups": groups, "path": path}
    return pickle.dumps(code, pickle.HIGHEST_PROTOCOL)


def _groups(first: int, tasks: list[BaseTask], size: int) -> list[bytes]:
    return [_dump(dict(enumerate(tasks[at : at + size], first + at))) for at in range(0, len(tasks), size)]


def _dump(tasks: dict[int, BaseTask]) -> bytes:
    try:
        return dumps(tasks)
    except Exception:
        for task in tasks.values():
            try:
                dumps(task)
            except Exception as error:
                raise WorkflowUnpicklable(task=task.name, reason=culprit_in_task(task, error)) from error
        raise


def unpack(shard: bytes, index: int, folder: str | None) -> tuple[str, BaseTask]:
    """The workflow file's path, and a new copy of one of the tasks. Unpickles: the worker has verified the bytes.

    `folder` has the version's sources.
    """
    code: dict[str, Any] = pickle.loads(shard)  # noqa: S301
    search_path.apply(code.get("path", ([], [])), folder)  # a version of an earlier release does not say
    group = code["groups"][(index - code["first"]) // code["size"]]
    pickles.collector.expect(code["file"])
    try:
        task: BaseTask = pickle.loads(group)[index]  # noqa: S301
    finally:
        pickles.collector.expect(None)
    return code["file"], task
