"""Tasks that run side by side, and one that waits for all of them

Three counts of the same text have nothing to do with each other, so they run at the same time on as many slots as
there are. The last task has all three as predecessors and gets a dataset from each, by name.
"""

from lightflow.models import Dag
from lightflow.tasks import PythonTask

TEXT = "the quick brown fox jumps over the lazy dog"


def characters(data, store, signal, context):
    data["count"] = len(TEXT)


def words(data, store, signal, context):
    data["count"] = len(TEXT.split())


def letters(data, store, signal, context):
    data["count"] = len(set(TEXT.replace(" ", "")))


def summary(data, store, signal, context):
    for name in ("characters", "words", "letters"):
        print(f"{name}: {data.get_by_alias(name)['count']}")


start_task = PythonTask(name="start")
counters = [PythonTask(name=count.__name__, callback=count) for count in (characters, words, letters)]
summary_task = PythonTask(name="summary", callback=summary)

main = Dag("main")
main.define({start_task: counters, **dict.fromkeys(counters, summary_task)})
