"""When a task began to run."""

import time

from lightflow.models import Dag
from lightflow.tasks import PythonTask


def clock(data, store, signal, context):
    data["began"] = time.perf_counter()


main = Dag("main", schema={PythonTask("task", clock): None})
