"""A chain of tasks that pass one value along

Every task adds to what it was given. `task_history` tells through which tasks the data came.
"""

from lightflow.models import Dag
from lightflow.tasks import PythonTask


def begin(data, store, signal, context):
    data["total"] = 1
    print("beginning with 1")


def double(data, store, signal, context):
    data["total"] *= 2
    print(f"{context.task_name} makes it {data['total']}")


def finish(data, store, signal, context):
    print(f"{data['total']} came through {' -> '.join(data.default_dataset.task_history)}")


begin_task = PythonTask(name="begin", callback=begin)
first_task = PythonTask(name="first", callback=double)
second_task = PythonTask(name="second", callback=double)
finish_task = PythonTask(name="finish", callback=finish)

main = Dag("main")
main.define({begin_task: first_task, first_task: second_task, second_task: finish_task})
