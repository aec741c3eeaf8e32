"""Queues: which workers may run what

A DAG and a task can name a queue. Only workers that serve it take what is in it, so that work for special machines
finds them: `lightflowctl up --queue dag-runner=slow_dags --queue task-worker=graphics`.
"""

from lightflow.models import Dag
from lightflow.tasks import PythonTask


def anywhere(data, store, signal, context):
    print("any task worker may run this")


def special(data, store, signal, context):
    print("only a worker that serves the queue 'graphics' runs this")


anywhere_task = PythonTask(name="anywhere", callback=anywhere)
special_task = PythonTask(name="special", callback=special, queue="graphics")

main = Dag("main", queue="slow_dags")
main.define({anywhere_task: special_task})
