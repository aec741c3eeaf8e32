"""What signals cost: asking for a stop, and waiting for a DAG."""

import time

from lightflow.models import Dag
from lightflow.tasks import PythonTask

ASKED = 100_000


def ask(data, store, signal, context):
    began = time.perf_counter()
    for _ in range(ASKED):
        signal.is_stopped  # noqa: B018 - reading it is what is timed
    data["is_stopped"] = (time.perf_counter() - began) / ASKED


def join(data, store, signal, context):
    name = signal.start_dag(sub)
    signal.join_dags([name])
    data["woke"] = time.time()


def nothing(data, store, signal, context):
    pass


sub = Dag("sub", autostart=False, schema={PythonTask("inner", nothing): None})
main = Dag("main", schema={PythonTask("ask", ask): PythonTask("join", join)})
