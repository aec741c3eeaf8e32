"""An array from one task to `readers` others, and how long it takes to get there."""

import time

import numpy as np

from lightflow.models import Dag, Option, Parameters
from lightflow.tasks import PythonTask

parameters = Parameters([Option("megabytes", type=int, default=10, help="size of the array")])


def make(data, store, signal, context):
    data["array"] = np.random.default_rng(0).integers(0, 256, store.get("megabytes") << 20, dtype=np.uint8)
    data["made"] = time.perf_counter()


def take(data, store, signal, context):
    assert data["array"][-1] >= 0
    data["seconds"] = time.perf_counter() - data["made"]
    del data["array"]


main = Dag("main", schema={PythonTask("make", make): PythonTask("take", take)})
