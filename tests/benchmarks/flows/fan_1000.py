"""One task, a thousand after it, one after them."""

from lightflow.models import Dag
from lightflow.tasks import PythonTask


def nothing(data, store, signal, context):
    pass


first, last = PythonTask("first", nothing), PythonTask("last", nothing)
middle = [PythonTask(f"task{number}", nothing) for number in range(1000)]
main = Dag("main", schema={first: middle, **dict.fromkeys(middle, last)})
