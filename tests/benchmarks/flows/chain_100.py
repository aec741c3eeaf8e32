"""A chain of a hundred tasks that do nothing."""

import itertools

from lightflow.models import Dag
from lightflow.tasks import PythonTask


def nothing(data, store, signal, context):
    pass


tasks = [PythonTask(f"task{number}", nothing) for number in range(100)]
main = Dag("main", schema=dict(itertools.pairwise(tasks)))
