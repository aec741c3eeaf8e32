"""What users wrote as bytes: cloudpickle, but random numbers are drawn from this process's generators.

`from random import random` is a method of a generator that the module hides. Pickled with its state, it would give all
tasks that carry it the same numbers, each time; `secrets` hides one that cannot be pickled at all.
"""

import pickle
import sys
from io import BytesIO
from typing import Any

import cloudpickle

_GENERATORS = {
    "Random": ("random", "_inst"),
    "SystemRandom": ("secrets", "_sysrand"),
    "RandomState": ("numpy.random.mtrand", "_rand"),
}
"""By the name of its type: the module that hides a generator, and where."""


def dumps(value: Any) -> bytes:
    """The value as a cloudpickle."""
    file = BytesIO()
    _Pickler(file, protocol=pickle.HIGHEST_PROTOCOL).dump(value)
    return file.getvalue()


class _Pickler(cloudpickle.Pickler):  # type: ignore[misc] # it publishes no types
    def reducer_override(self, obj: Any) -> Any:
        if home := _GENERATORS.get(type(obj).__name__):
            module = sys.modules.get(home[0])
            if module is not None and getattr(module, home[1], None) is obj:
                return getattr, (module, home[1])
        return super().reducer_override(obj)
