"""An array from one task to a hundred, and how long it takes to get there."""

from hand_over import make, parameters, take

from lightflow.models import Dag
from lightflow.tasks import PythonTask

__all__ = ["main", "parameters"]

main = Dag("main", schema={PythonTask("make", make): [PythonTask(f"take{number}", take) for number in range(100)]})
