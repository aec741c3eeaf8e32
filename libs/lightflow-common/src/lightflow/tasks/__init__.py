"""The task types that ship."""

from lightflow.tasks.bash_task import BashTask
from lightflow.tasks.python_task import PythonTask

__all__ = ["BashTask", "PythonTask"]
