"""A workflow that takes arguments

Options have a type and perhaps a default; those without one must be given: `lightflowctl run parameters name=Ada`.
What was given lies in the store, converted, before the first task runs.
"""

from lightflow.models import Dag, Option, Parameters
from lightflow.tasks import PythonTask

parameters = Parameters(
    [
        Option("name", help="whom to greet", type=str),
        Option("times", default=2, help="how often", type=int),
        Option("loud", default=False, help="in capitals", type=bool),
    ]
)


def greet(data, store, signal, context):
    greeting = f"Hello, {store.get('name')}!"
    for _ in range(store.get("times")):
        print(greeting.upper() if store.get("loud") else greeting)


main = Dag("main")
main.define({PythonTask(name="greet", callback=greet): None})
