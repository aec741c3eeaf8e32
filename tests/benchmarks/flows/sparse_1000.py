"""1000 tasks in ten chains."""

import itertools

from lightflow.models import Dag
from lightflow.tasks import PythonTask

SIZE, WIDTH = 1000, 10


def nothing(data, store, signal, context):
    pass


rows = [[PythonTask(f"task{row}in{place}", nothing) for place in range(WIDTH)] for row in range(1000 // WIDTH)]
main = Dag(
    "main",
    schema={one: two for row, after in itertools.pairwise(rows) for one, two in zip(row, after, strict=True)},
)
