"""Two tasks, one after the other."""

from lightflow.models import Dag
from lightflow.tasks import PythonTask


def nothing(data, store, signal, context):
    pass


main = Dag("main", schema={PythonTask("one", nothing): PythonTask("two", nothing)})
