"""One attempt: what a child needs for it, what it may ask of the worker meanwhile, and what comes of it."""

from dataclasses import dataclass
from typing import Any, Protocol

from lightflow.core.outcomes import Ending, ErrorInfo, Outcome
from lightflow_task_worker.frames import Buffer, Header


@dataclass(frozen=True, slots=True)
class Input:
    """The output of a predecessor: the name and aliases it is reached by, and its pickled TaskData (None: empty)."""

    name: str
    aliases: tuple[str, ...]
    payload: bytes | None


@dataclass(frozen=True, slots=True)
class Job:
    """One attempt, as a child needs it. Every bytes field was verified: the child unpickles it."""

    task_run: str
    run_id: str
    workflow: str
    version: str
    dag: str  # with its :n
    task: str
    index: int
    attempt: int
    worker: str
    timeout: float | None  # seconds
    shard: bytes  # what the version says for this task, as the loader made it
    folder: str | None  # where the version's source archive lies, first on the child's path
    inputs: tuple[Input, ...] = ()
    start_data: bytes | None = None  # a pickled MultiTaskData or TaskData


@dataclass(frozen=True, slots=True)
class Result:
    """What came of an attempt; `output` is a pickled TaskData."""

    outcome: Outcome
    output: bytes | None = None


class Calls(Protocol):
    """Executes what a task asks of its store and signal."""

    async def call(self, method: str, header: Header, payload: bytes) -> tuple[Header, bytes]:
        """The answer's header and payload. A LightflowException is raised again in the task.

        `header["call"]` counts the attempt's calls from 1. A call is cancelled when the task no longer waits for it.

        | method | header | payload | answer |
        |---|---|---|---|
        | get | key section | | {"found": bool}, encoded value |
        | set push extend | key section | encoded value (for extend: of a list) | {} |
        | start_dag | name, data: whether there are any | pickled MultiTaskData | {"name": str or None} |
        | join_dags | names: list or None | | {} |
        | stop_dag | name: str or None | | {} |
        | stop_workflow | | | {} |
        """


def job_frame(job: Job, known_shard: bytes) -> tuple[Header, list[Buffer]]:
    """The frame that begins an attempt (child/attempts.py); a shard that the child knows is left out."""
    parts: list[Buffer] = [b"" if job.shard == known_shard else job.shard]
    if job.start_data is not None:
        parts.append(job.start_data)
    parts += [each.payload for each in job.inputs if each.payload is not None]
    header = {
        "run_id": job.run_id,
        "workflow": job.workflow,
        "dag": job.dag,
        "task": job.task,
        "index": job.index,
        "attempt": job.attempt,
        "worker": job.worker,
        "timeout": job.timeout,
        "folder": job.folder,
        "start_data": job.start_data is not None,
        "inputs": [(each.name, each.aliases, each.payload is not None) for each in job.inputs],
    }
    return header, parts


def outcome_from_json(data: dict[str, Any]) -> Outcome:
    """The outcome that a child reported."""
    error, limit = data["error"], data["limit"]
    return Outcome(
        Ending(data["ending"]),
        None if error is None else ErrorInfo.from_json(error),
        data["retryable"],
        None if limit is None else tuple(limit),
    )
