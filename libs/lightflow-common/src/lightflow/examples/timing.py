"""How long things take, from the record of the run

The section `meta` of the store holds when each DAG and task started and ended, and it can be read while the run goes.
"""

from lightflow.models import Dag, DataStoreDocumentSection
from lightflow.tasks import PythonTask


def work(data, store, signal, context):
    sum(number * number for number in range(300_000))


def report(data, store, signal, context):
    meta = DataStoreDocumentSection.Meta
    tasks = store.get(f"log.{context.dag_name}.tasks", section=meta)
    for name in ("first", "second"):
        print(f"{name} took {tasks[name]['duration'] * 1000:.0f} ms on {tasks[name]['worker']}")
    waited = (tasks["second"]["start_time"] - tasks["first"]["end_time"]).total_seconds()
    print(f"between them {waited * 1000:.0f} ms went by")


first_task = PythonTask(name="first", callback=work)
second_task = PythonTask(name="second", callback=work)
report_task = PythonTask(name="report", callback=report)

main = Dag("main")
main.define({first_task: second_task, second_task: report_task})
