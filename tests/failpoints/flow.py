"""Reaches as many steps of the services as one small run can: sub-DAGs, joins, retries, skips, store, large values."""

import time

from lightflow.models import Action, Dag, Option, Parameters, StopTask
from lightflow.tasks import PythonTask

LARGE = 100_000

parameters = Parameters([Option("size", type=int), Option("pause", default=0.0, type=float)])


def begin(data, store, signal, context):
    print("begun")
    time.sleep(store.get("pause"))
    data["numbers"] = list(range(store.get("size")))
    store.push("seen", context.task_name)
    store.set("large.value", b"x" * LARGE)
    store.set("large.value", b"y" * LARGE)
    name = signal.start_dag("below", data=data)
    signal.stop_dag(signal.start_dag("aside"))
    signal.join_dags([name])


def again(data, store, signal, context):
    store.push("seen", f"{context.task_name} {context.attempt}")
    if context.attempt == 1:
        raise ValueError("the first attempt fails")
    data["blob"] = b"z" * LARGE
    return Action(data, limit=["end"])


def stop(data, store, signal, context):
    raise StopTask("enough", skip_successors=False)


def end(data, store, signal, context):
    data["sum"] = sum(data("again")["numbers"]) + len(data("again")["blob"])


def double(data, store, signal, context):
    store.extend("doubled", [2 * number for number in data["numbers"]])


first = PythonTask("begin", begin)
retried = PythonTask("again", again, retries=1)
skipped = PythonTask("skipped")
stopped = PythonTask("stop", stop)
last = PythonTask("end", end)
main = Dag("main")
main.define({first: [retried, stopped], retried: [last, skipped], stopped: last})

aside = Dag("aside", autostart=False)
aside.define({PythonTask("one"): PythonTask("two")})

below = Dag("below", autostart=False)
below.define({PythonTask("double", double): PythonTask("after")})
