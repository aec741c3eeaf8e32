"""A child that runs attempts of one version, one after the other, until its worker closes the pipe.

A job frame has the fields of `Job` that are not bytes; its parts are the shard (empty when the last one is meant
again), the start data if there are any, and the inputs that have a payload.
"""

import faulthandler
import mmap
import pickle
import random
import socket
import sys
from dataclasses import dataclass
from typing import Any

from lightflow.core.errors import OutputUnpicklable, TaskTimeout
from lightflow.core.outcomes import Ending, Outcome
from lightflow.models.attempt import error_info, run_attempt
from lightflow.models.base_task import BaseTask
from lightflow.models.datastore import DataStoreDocument
from lightflow.models.signals import TaskSignal
from lightflow.models.task_context import TaskContext
from lightflow.models.task_data import MultiTaskData, TaskData, as_input, compose_input
from lightflow.runtime.pickling import dumps
from lightflow_task_worker.child import pickles, restore, shards, sources
from lightflow_task_worker.child.alarm import Alarm
from lightflow_task_worker.child.calls import Line, Signal, Store
from lightflow_task_worker.child.culprits import culprit_in_data
from lightflow_task_worker.frames import BlockingPipe, Header, PipeClosedError


def serve(descriptors: list[int]) -> None:
    """Run attempts; the descriptors are the pipe, the output, the stop flag's memory and the stop descriptor."""
    pipe, output, flag, stop = descriptors
    restore.capture(output)
    faulthandler.enable()  # a crash in C code says in the task's log where it was
    random.seed()
    pickles.install()
    Attempts(BlockingPipe(socket.socket(fileno=pipe)), mmap.mmap(flag, 1, prot=mmap.PROT_READ), stop).serve()


@dataclass(frozen=True, slots=True)
class Work:
    """What one attempt needs, in this process."""

    task: BaseTask
    data: MultiTaskData
    context: TaskContext


class Attempts:
    """Runs one attempt after the other, each from the same beginning."""

    def __init__(self, pipe: BlockingPipe, flag: mmap.mmap, stop_descriptor: int) -> None:
        self._pipe = pipe
        self._alarm = Alarm()
        self._line = Line(pipe, self._alarm)
        self._store = DataStoreDocument(Store(self._line))
        self._signal = TaskSignal(Signal(self._line, flag, stop_descriptor))
        self._traces = restore.Traces()
        self._surroundings: restore.Surroundings | None = None
        self._shard = b""

    def serve(self) -> None:
        while True:
            try:
                job, parts = self._pipe.receive()
            except (PipeClosedError, ConnectionError):
                return
            if "call" in job:
                continue  # the answer to a call that a timeout ended
            self._begin(job)
            outcome, output = self._run(job, parts)
            restore.flush()
            pickles.forget_code()  # before the modules are counted, which show whether one was taken away
            header = {"result": _outcome_json(outcome), "retire": self._traces.any()}
            self._pipe.send(header, [] if output is None else [output])
            self._end()

    def _begin(self, job: Header) -> None:
        if self._surroundings is None:
            if job["folder"] is not None:
                sys.path.insert(0, job["folder"])
            self._surroundings = restore.Surroundings()
        self._line.begin()

    def _end(self) -> None:
        assert self._surroundings is not None
        self._surroundings.restore()

    def _run(self, job: Header, parts: list[memoryview]) -> tuple[Outcome, bytes | None]:
        """The outcome and the pickled output. Whatever goes wrong around the task is an error of the attempt."""
        self._alarm.arm(job["timeout"], TaskTimeout(task=job["task"], seconds=job["timeout"] or 0.0))
        try:
            work = self._unpack(job, parts)
            outcome, output = run_attempt(work.task, work.data, self._store, self._signal, work.context)
            return outcome, None if output is None else _pickled(job["task"], output)
        except BaseException as error:
            return Outcome(Ending.ERROR, error_info(error)), None
        finally:
            self._alarm.disarm()

    def _unpack(self, job: Header, parts: list[memoryview]) -> Work:
        """Unpickle the task afresh: nothing of what another attempt did to the file's globals is in it."""
        shard, *rest = parts
        self._shard = bytes(shard) or self._shard
        file, task = shards.unpack(self._shard, job["index"], job["folder"])
        sources.remember(file, job["folder"])
        start = rest.pop(0) if job["start_data"] else None
        data = as_input(task.name, pickle.loads(start)) if start is not None else _inputs(task.name, job, rest)  # noqa: S301
        context = TaskContext(
            job["task"], job["dag"], job["workflow"], job["run_id"], job["worker"], attempt=job["attempt"]
        )
        return Work(task, data, context)


def _inputs(task: str, job: Header, parts: list[memoryview]) -> MultiTaskData:
    payloads = iter(parts)
    return compose_input(
        task,
        [
            (name, aliases, pickle.loads(next(payloads)) if given else TaskData())  # noqa: S301
            for name, aliases, given in job["inputs"]
        ],
    )


def _pickled(task: str, output: TaskData) -> bytes:
    try:
        return dumps(output)
    except Exception as error:
        raise OutputUnpicklable(task=task, reason=culprit_in_data(output, error)) from error


def _outcome_json(outcome: Outcome) -> dict[str, Any]:
    return {
        "ending": outcome.ending.value,
        "error": outcome.error and outcome.error.to_json(),
        "retryable": outcome.retryable,
        "limit": None if outcome.limit is None else list(outcome.limit),
    }
