"""A task that aborts the whole run

`AbortWorkflow` ends everything: nothing new starts, tasks that run are told to stop, and the run ends aborted.
"""

from lightflow.models import AbortWorkflow, Dag
from lightflow.tasks import PythonTask


def check(data, store, signal, context):
    print("the detector is off; there is no point in going on")
    raise AbortWorkflow("the detector is off")


def measure(data, store, signal, context):
    print("this is never printed")


check_task = PythonTask(name="check", callback=check)
measure_task = PythonTask(name="measure", callback=measure)

main = Dag("main")
main.define({check_task: measure_task})
