"""Shell commands as tasks

The lines of a command arrive one by one while it runs. Its parameters may be computed from the data, and what it
printed can be kept for the tasks that follow.
"""

from lightflow.models import Dag
from lightflow.tasks import BashTask, PythonTask


def choose(data, store, signal, context):
    data["count"] = 3


def on_line(line, data, store, signal, context):
    print(f"the shell says: {line.rstrip()}")


def on_end(returncode, stdout_file, stderr_file, data, store, signal, context):
    data["lines"] = stdout_file.read().decode().splitlines()
    print(f"it ended with code {returncode}")


def count(data, store, signal, context):
    print(f"{len(data['lines'])} lines, the last one: {data['lines'][-1]}")


choose_task = PythonTask(name="choose", callback=choose)
shell_task = BashTask(
    name="shell",
    command=lambda data, store: f"for i in $(seq {data['count']}); do echo line $i; done",
    capture_stdout=True,
    callback_stdout=on_line,
    callback_end=on_end,
)
count_task = PythonTask(name="count", callback=count)

main = Dag("main")
main.define({choose_task: shell_task, shell_task: count_task})
