"""The store and the signal of tasks that run in this process. Values are encoded as on the real system: as copies."""

import itertools
import pickle
import threading
from collections.abc import Callable, Coroutine
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, TypeVar

import cloudpickle

from lightflow.runtime.datastore.encoding import decode, encode
from lightflow.runtime.datastore.memory import MemoryStore

if TYPE_CHECKING:
    from lightflow.local.attempts import Attempt
    from lightflow.local.engine import Engine
    from lightflow.models import MultiTaskData

Answer = TypeVar("Answer")


def dumps(value: Any) -> bytes:
    """The value as bytes, as it travels between tasks."""
    data: bytes = cloudpickle.dumps(value, protocol=pickle.HIGHEST_PROTOCOL)
    return data


class RunData:
    """The store of one run, for any thread; `meta` tells what the record of the run says at the moment."""

    def __init__(self, run_id: str, meta: Callable[[], dict[str, Any]]) -> None:
        self._run_id = run_id
        self._meta = meta
        self._known: dict[str, dict[str, Any]] = {}
        self._memory = MemoryStore(self._known)
        self._operations = itertools.count(1)
        self._lock = threading.Lock()

    def get(self, key: str, section: str) -> bytes | None:
        """The encoded value under the key, None when there is none."""
        meta = self._meta() if section == "meta" else {}
        with self._lock:
            self._known[self._run_id] = meta
            return _at_once(self._memory.get(self._run_id, key, section))

    def write(self, method: str, key: str, value: bytes, section: str) -> None:
        """`set`, `push` or `extend` with an encoded value."""
        with self._lock:
            write = getattr(self._memory, method)
            _at_once(write(self._run_id, key, value, section, str(next(self._operations))))


def _at_once(coroutine: Coroutine[Any, Any, Answer]) -> Answer:
    """The result of a coroutine that never waits: the store in memory has nothing to wait for."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        answer: Answer = stop.value
        return answer
    raise AssertionError("the store in memory waits for something")


class Store:
    """StoreCalls; `allowed` surrounds each access, and raises where it has no effect any more."""

    def __init__(self, data: RunData, allowed: Callable[[], AbstractContextManager[None]]) -> None:
        self._data = data
        self._allowed = allowed

    def get(self, key: str, default: Any, section: str) -> Any:
        with self._allowed():
            value = self._data.get(key, section)
        return default if value is None else decode(value)

    def set(self, key: str, value: Any, section: str) -> None:
        self._write("set", key, value, section)

    def push(self, key: str, value: Any, section: str) -> None:
        self._write("push", key, value, section)

    def extend(self, key: str, values: list[Any], section: str) -> None:
        self._write("extend", key, values, section)

    def _write(self, method: str, key: str, value: Any, section: str) -> None:
        encoded = encode(value)
        with self._allowed():
            self._data.write(method, key, encoded, section)


class Signal:
    """SignalCalls of one attempt."""

    def __init__(self, engine: "Engine", attempt: "Attempt") -> None:
        self._engine = engine
        self._attempt = attempt

    def start_dag(self, name: str, data: "MultiTaskData | None") -> str | None:
        payload = None if data is None else dumps(data)
        with self._attempt.allowed():
            return self._engine.start_dag(name, payload)

    def join_dags(self, names: list[str] | None) -> bool:
        with self._attempt.allowed():
            self._engine.join_dags(self._attempt, names)
        return True

    def stop_dag(self, name: str | None) -> None:
        with self._attempt.allowed():
            self._engine.stop_dag(name or self._attempt.dag_run.name)

    def stop_workflow(self) -> None:
        with self._attempt.allowed():
            self._engine.stop()

    def is_stopped(self) -> bool:
        return self._attempt.is_over or self._attempt.dag_run.is_stopping

    def stop_descriptor(self) -> int | None:
        return None
