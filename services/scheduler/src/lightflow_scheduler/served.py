"""Which queues living workers serve, and what waits because nobody serves its queue."""

from collections.abc import Mapping
from typing import Any

from lightflow.core.states import FINAL, Service, State
from lightflow_scheduler.collaborators import Collaborators

Served = frozenset[tuple[str, str, str]]
"""(service, queue, Python) of what living workers take from."""


async def served(with_: Collaborators) -> Served:
    """What is served now; a worker that is about to end counts no more."""
    workers = await with_.db["workers"].find({"draining": False}).to_list()
    living = filter(with_.alive, workers)
    return frozenset((each["service"], queue, each["python"]) for each in living for queue in each["queues"])


def run_waits_for(run: Mapping[str, Any], served: Served) -> str:
    """Why a run does not go on; empty where a scheduler may move it at any moment."""
    return _unserved(run, Service.SCHEDULER, served)


def dag_run_waits_for(dag_run: Mapping[str, Any], served: Served) -> str:
    """Why a DAG run does not go on; empty where a dag-runner may move it at any moment."""
    return _unserved(dag_run, Service.DAG_RUNNER, served)


def task_waits_for(task: Mapping[str, Any], served: Served) -> str:
    """Why a queued task does not run; empty where a worker may take it at any moment."""
    if task["state"] != State.QUEUED:
        return ""
    if task.get("delayed"):
        return "its delay"
    queue, python = task["queue"], task.get("python")
    pythons = {python for service, name, python in served if (service, name) == (Service.TASK_WORKER, queue)}
    if not pythons:
        return f"a worker of queue {queue}"
    return "" if python is None or python in pythons else f"a worker of queue {queue} with Python {python}"


def _unserved(document: Mapping[str, Any], service: Service, served: Served) -> str:
    if document["state"] in FINAL or any((service, document["queue"]) == place[:2] for place in served):
        return ""
    return f"a {service} of queue {document['queue']}"
