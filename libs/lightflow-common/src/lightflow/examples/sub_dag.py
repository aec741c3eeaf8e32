"""A task that starts DAGs and waits for them

A DAG with `autostart=False` runs when a task asks for it, as often as it asks, each time with data of its own. While a
task waits in `join_dags`, its slot is lent to others, so that one slot is enough for all of this.
"""

from lightflow.models import Dag, MultiTaskData, TaskData
from lightflow.tasks import PythonTask


def spread(data, store, signal, context):
    started = []
    for number in (2, 3, 5):
        dataset = MultiTaskData(dataset=TaskData({"number": number}), aliases=["spread"])
        started.append(signal.start_dag("square", data=dataset))
    print(f"started {', '.join(started)}")
    signal.join_dags(started)


def square(data, store, signal, context):
    store.push("squares", data["number"] ** 2)


def collect(data, store, signal, context):
    print(f"the squares: {sorted(store.get('squares'))}")


spread_task = PythonTask(name="spread", callback=spread)
collect_task = PythonTask(name="collect", callback=collect)
square_task = PythonTask(name="square", callback=square)

main = Dag("main")
main.define({spread_task: collect_task})

square_dag = Dag("square", autostart=False)
square_dag.define({square_task: None})
