"""A workflow as most are, which a loader executes before it is asked for one."""

from typing import Any

from lightflow.models import Dag
from lightflow.tasks import PythonTask


def _nothing(*_: Any) -> None:
    pass


main = Dag("main", schema={PythonTask("first", _nothing): PythonTask("second", _nothing)})
