"""A task that stops, and what becomes of its successors

`StopTask` ends a task early without any harm: its successors are skipped, or all run with `skip_successors=False`.
The run goes on and succeeds.
"""

from lightflow.models import Dag, StopTask
from lightflow.tasks import PythonTask


def nothing_to_do(data, store, signal, context):
    print("nothing new today, the archive is left alone")
    raise StopTask("no new data")


def enough(data, store, signal, context):
    print("seen enough, the others may go on")
    raise StopTask("enough", skip_successors=False)


def tell(data, store, signal, context):
    print(f"{context.task_name} runs")


check_task = PythonTask(name="check", callback=nothing_to_do)
archive_task = PythonTask(name="archive", callback=tell)
scan_task = PythonTask(name="scan", callback=enough)
clean_task = PythonTask(name="clean", callback=tell)

main = Dag("main")
main.define({check_task: archive_task, scan_task: clean_task})
