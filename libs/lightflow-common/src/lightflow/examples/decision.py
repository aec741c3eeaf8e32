"""A task decides which of its successors run

`Action(data, limit=[...])` selects successors; the others are skipped, and so is what comes after them, unless another
way leads there. The last task runs because the selected one lets it.
"""

from lightflow.models import Action, Dag, Option, Parameters
from lightflow.tasks import PythonTask

parameters = Parameters([Option("number", default=7, type=int, help="the number to look at")])


def look(data, store, signal, context):
    number = store.get("number")
    chosen = "odd" if number % 2 else "even"
    print(f"{number} goes to the task {chosen!r}")
    return Action(data, limit=[chosen])


def say(data, store, signal, context):
    print(f"this is the task for {context.task_name} numbers")


def done(data, store, signal, context):
    print("done")


look_task = PythonTask(name="look", callback=look)
odd_task = PythonTask(name="odd", callback=say)
even_task = PythonTask(name="even", callback=say)
done_task = PythonTask(name="done", callback=done)

main = Dag("main")
main.define({look_task: [odd_task, even_task], odd_task: done_task, even_task: done_task})
