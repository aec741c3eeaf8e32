"""The store and the signal as a task sees them: each call is a frame to the worker, which answers it."""

import itertools
import mmap
import os
import pickle
import select
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import cloudpickle

from lightflow.core.errors import LightflowException
from lightflow.runtime.datastore.encoding import decode, encode
from lightflow_task_worker.child.alarm import Alarm
from lightflow_task_worker.frames import BlockingPipe, Buffer, Frame, PipeClosedError

if TYPE_CHECKING:
    from lightflow.models import MultiTaskData


class CallInOtherProcess(LightflowException):
    """A process that the task forked used its `store` or `signal`."""

    template = (
        "store and signal work in the task's own process only, not in one that it forked: "
        "return the values to the task and store them there"
    )


class Line:
    """The line to the worker: one call at a time, whichever thread makes it."""

    def __init__(self, pipe: BlockingPipe, alarm: Alarm) -> None:
        self._pipe = pipe
        self._alarm = alarm
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        self._owner = os.getpid()

    def begin(self) -> None:
        """Count calls from 1 again: a call's number is part of what makes it take effect once."""
        self._numbers = itertools.count(1)

    def ask(self, method: str, payload: Buffer = b"", **arguments: Any) -> tuple[dict[str, Any], memoryview]:
        """The worker's answer. Raises what the call raised there."""
        if os.getpid() != self._owner:
            raise CallInOtherProcess
        with self._lock:
            number = next(self._numbers)
            with self._alarm.shield():
                self._pipe.send({"method": method, "call": number, **arguments}, [payload])
            header, parts = self._answer(number)
        if "error" in header:
            raise LightflowException.from_json(header["error"])
        return header, parts[0]

    def _answer(self, number: int) -> Frame:
        """The frame that answers this call; one that a timeout gave up may still be answered before it."""
        poller = select.poll()
        poller.register(self._pipe, select.POLLIN)
        while True:
            poller.poll()  # here, and not in the midst of a frame, a timeout may strike
            with self._alarm.shield():
                try:
                    header, parts = self._pipe.receive()
                except (PipeClosedError, ConnectionError):
                    os._exit(1)  # the worker is gone, and the guardian is about to end this process anyway
            if header["call"] == number:
                return header, parts


class Store:
    """StoreCalls of an attempt."""

    def __init__(self, line: Line) -> None:
        self._line = line

    def get(self, key: str, default: Any, section: str) -> Any:
        header, payload = self._line.ask("get", key=key, section=section)
        return decode(payload) if header["found"] else default

    def set(self, key: str, value: Any, section: str) -> None:
        self._line.ask("set", encode(value), key=key, section=section)

    def push(self, key: str, value: Any, section: str) -> None:
        self._line.ask("push", encode(value), key=key, section=section)

    def extend(self, key: str, values: list[Any], section: str) -> None:
        self._line.ask("extend", encode(values), key=key, section=section)


class Signal:
    """SignalCalls of an attempt: whether it is stopped is read from memory shared with the worker."""

    def __init__(self, line: Line, flag: mmap.mmap, stop_descriptor: int) -> None:
        self._line = line
        self._flag = flag
        self._stop_descriptor = stop_descriptor

    def start_dag(self, name: str, data: "MultiTaskData | None") -> str | None:
        payload = b"" if data is None else cloudpickle.dumps(data, protocol=pickle.HIGHEST_PROTOCOL)
        header, _ = self._line.ask("start_dag", payload, name=name, data=data is not None)
        started: str | None = header["name"]
        return started

    def join_dags(self, names: Sequence[str] | None) -> bool:
        self._line.ask("join_dags", names=None if names is None else list(names))
        return True

    def stop_dag(self, name: str | None) -> None:
        self._line.ask("stop_dag", name=name)

    def stop_workflow(self) -> None:
        self._line.ask("stop_workflow")

    def is_stopped(self) -> bool:
        return self._flag[0] != 0

    def stop_descriptor(self) -> int | None:
        return self._stop_descriptor
