"""What cloudpickle has to be told so that attempts share nothing, and loads of one file give the same bytes.

cloudpickle keeps, per process, which class came from which pickle. Within an attempt that is wanted: the class of the
task's code and the class of the data it gets are one. Between attempts it is not: a class, like any global of the
workflow file, begins each attempt as the file has it.
"""

import collections
import hashlib
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import cloudpickle
from cloudpickle import cloudpickle as internals

from lightflow_task_worker.child.own_module import Collector

collector = Collector(internals._make_function)
_set_state = internals._class_setstate
_set: "weakref.WeakSet[type]" = weakref.WeakSet()


def _class_setstate(cls: type, state: Any) -> type:
    """Give a class from a pickle its attributes, once: data that carries the class again must not change it back."""
    if cls not in _set:
        _set.add(cls)
        _set_state(cls, state)
        collector.add_class(cls)
    return cls


def _make_function(*parts: Any) -> Any:
    return collector.make(*parts)


def install() -> None:
    """Have classes keep the attributes that the first pickle of an attempt gave them, and the file be a module."""
    for function in (_class_setstate, _make_function):
        function.__module__ = internals.__name__  # pickles name it, as they name the original
        setattr(internals, function.__name__, function)


def forget_code() -> None:
    """Forget the classes of earlier attempts, and the module of their file."""
    collector.forget()
    _set.clear()
    internals._DYNAMIC_CLASS_TRACKER_BY_CLASS.clear()
    internals._DYNAMIC_CLASS_TRACKER_BY_ID.clear()


@contextmanager
def by_value(module: ModuleType, source: bytes) -> Iterator[None]:
    """Pickle what is of this module by value, and the same bytes for the same source, whenever it is loaded."""
    prefix, counts = hashlib.sha256(source).hexdigest()[:32], collections.Counter[str]()

    def track(cls: type) -> str:
        known: str | None = internals._DYNAMIC_CLASS_TRACKER_BY_CLASS.get(cls)
        if known is None:
            name = f"{cls.__module__}.{getattr(cls, '__qualname__', cls.__name__)}"
            counts[name] += 1
            known = f"{prefix}:{name}:{counts[name]}"
            internals._DYNAMIC_CLASS_TRACKER_BY_CLASS[cls] = known
            internals._DYNAMIC_CLASS_TRACKER_BY_ID[known] = cls
        return known

    original = internals._get_or_create_tracker_id  # which draws a random id
    internals._get_or_create_tracker_id = track
    cloudpickle.register_pickle_by_value(module)
    try:
        yield
    finally:
        cloudpickle.unregister_pickle_by_value(module)
        internals._get_or_create_tracker_id = original
