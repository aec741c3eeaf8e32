"""The store: data that all tasks of a run share

Keys nest by dots. Tasks that run at the same time push to one list and lose nothing of each other's.
"""

from lightflow.models import Dag
from lightflow.tasks import PythonTask


def prepare(data, store, signal, context):
    store.set("experiment.name", "tea")
    store.set("experiment.unit", "minutes")


def taste(data, store, signal, context):
    minutes = int(context.task_name.removeprefix("taste_"))
    store.push("ratings", {"minutes": minutes, "rating": 10 - abs(minutes - 4)})


def best(data, store, signal, context):
    winner = max(store.get("ratings"), key=lambda rating: rating["rating"])
    print(f"{store.get('experiment.name')} is best after {winner['minutes']} {store.get('experiment.unit')}")
    print(f"steeped by the book: {store.get('experiment.source', 'no book was used')}")


prepare_task = PythonTask(name="prepare", callback=prepare)
tasters = [PythonTask(name=f"taste_{minutes}", callback=taste) for minutes in range(2, 8)]
best_task = PythonTask(name="best", callback=best)

main = Dag("main")
main.define({prepare_task: tasters, **dict.fromkeys(tasters, best_task)})
