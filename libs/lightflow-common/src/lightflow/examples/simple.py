"""Two tasks, one after the other

The first task measures something and hands it on; the second one gets a copy of it and tells what it makes of it.
"""

from lightflow.models import Dag
from lightflow.tasks import PythonTask


def measure(data, store, signal, context):
    data["temperature"] = 21.5
    print("measured 21.5 degrees")


def report(data, store, signal, context):
    print(f"that is {data['temperature'] * 9 / 5 + 32:.1f} degrees Fahrenheit")


measure_task = PythonTask(name="measure", callback=measure)
report_task = PythonTask(name="report", callback=report)

main = Dag("main")
main.define({measure_task: report_task})
