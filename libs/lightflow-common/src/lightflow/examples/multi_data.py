"""A task with several predecessors, and several datasets

`data` holds one dataset for each predecessor. They are reached by the predecessor's name, by the slot that the schema
gives, or by index; `data["key"]` speaks to the default one. After the task they are merged into one again.
"""

from lightflow.models import Dag
from lightflow.tasks import PythonTask


def left(data, store, signal, context):
    data["side"] = "left"
    data["only_left"] = 1


def right(data, store, signal, context):
    data["side"] = "right"
    data["only_right"] = 2


def both(data, store, signal, context):
    print(
        f"by name: {data('left')['side']}, by slot: {data('second')['side']}, by index: {data.get_by_index(0)['side']}"
    )
    print(f"default: {data['side']}")
    data.set_default_by_alias("second")
    print(f"now default: {data['side']}")


def merged(data, store, signal, context):
    print(f"merged: {data['side']}, {data['only_left']} and {data['only_right']}")


left_task = PythonTask(name="left", callback=left)
right_task = PythonTask(name="right", callback=right)
both_task = PythonTask(name="both", callback=both)
merged_task = PythonTask(name="merged", callback=merged)

main = Dag("main")
main.define({left_task: {both_task: "first"}, right_task: {both_task: "second"}, both_task: merged_task})
