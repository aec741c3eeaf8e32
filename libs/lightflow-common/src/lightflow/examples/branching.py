"""Branches of different length that meet again

The long branch takes two steps, the short one a single step. The task at their meeting runs once, when both are
through, and knows each branch by the name (the slot) that the schema gives it.
"""

from lightflow.models import Dag
from lightflow.tasks import PythonTask


def source(data, store, signal, context):
    data["numbers"] = list(range(1, 11))


def even(data, store, signal, context):
    data["numbers"] = [number for number in data["numbers"] if number % 2 == 0]


def square(data, store, signal, context):
    data["numbers"] = [number**2 for number in data["numbers"]]


def odd(data, store, signal, context):
    data["numbers"] = [number for number in data["numbers"] if number % 2]


def meet(data, store, signal, context):
    print(f"squares of the even numbers: {data('squares')['numbers']}")
    print(f"odd numbers: {data('odds')['numbers']}")


source_task = PythonTask(name="source", callback=source)
even_task = PythonTask(name="even", callback=even)
square_task = PythonTask(name="square", callback=square)
odd_task = PythonTask(name="odd", callback=odd)
meet_task = PythonTask(name="meet", callback=meet)

main = Dag("main")
main.define(
    {
        source_task: [even_task, odd_task],
        even_task: square_task,
        square_task: {meet_task: "squares"},
        odd_task: {meet_task: "odds"},
    }
)
