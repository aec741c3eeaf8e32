"""A task that waits to be stopped, and tells when it was."""

import select
import time

from lightflow.models import Dag
from lightflow.tasks import PythonTask


def wait(data, store, signal, context):
    print("began", flush=True)
    select.select([signal.stop_descriptor()], [], [])
    data["noticed"] = time.time()


main = Dag("main", schema={PythonTask("wait", wait): None})
