"""Twenty layers of fifty tasks; each task depends on all of the layer before."""

import itertools

from lightflow.models import Dag
from lightflow.tasks import PythonTask


def nothing(data, store, signal, context):
    pass


layers = [[PythonTask(f"layer{layer}task{number}", nothing) for number in range(50)] for layer in range(20)]
main = Dag("main", schema={task: after for layer, after in itertools.pairwise(layers) for task in layer})
