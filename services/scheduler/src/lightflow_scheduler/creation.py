"""DAG runs as they begin to exist, and the tasks of those that begin by that."""

from collections.abc import Collection, Iterator, Mapping
from datetime import datetime

from pymongo import UpdateOne

from lightflow.core import ids
from lightflow.core.graph import DagSpec
from lightflow.core.states import Reason, State
from lightflow.runtime.creation import new_tasks
from lightflow.runtime.mongo import SCHEMA, Document, insertion

Dags = Mapping[str, DagSpec]
"""The DAGs of DAG runs, by the names of those."""


def new_dag_runs(
    run: Document, dags: Dags, begun: Collection[str], beginning: Document, stop: Reason | None
) -> Iterator[UpdateOne]:
    """The steps that insert these DAG runs of a run; a look is due for those that have not begun, or are to stop."""
    for start in _starts(run, dags):
        new = _new_dag_run(run, start, dags[start["name"]])
        if start["name"] in begun:
            yield insertion(new | beginning | {"state": State.RUNNING.value, "created_at": beginning["started_at"]})
        else:
            yield insertion(new | {"dirty": ids.new_id(), "stop": stop and stop.value})


def new_tasks_of(run: Document, dags: Dags, now: datetime) -> list[Document]:
    """The tasks of these DAG runs of a run, the first ones queued as of `now`."""
    tasks: list[Document] = []
    for start in _starts(run, dags):
        dag = dags[start["name"]]
        tasks += new_tasks(_new_dag_run(run, start, dag) | {"now": now}, dag, frozenset(dag.roots))
    return tasks


def _starts(run: Document, dags: Dags) -> Iterator[Document]:
    return (start for start in run["starts"] if start["name"] in dags)


def _new_dag_run(run: Document, start: Document, dag: DagSpec) -> Document:
    return {
        "_id": ids.dag_run_id(run["_id"], start["name"]),
        "schema": SCHEMA,
        "run": run["_id"],
        "run_queue": run["queue"],
        "workflow": run["workflow"],
        "dag": start["dag"],
        "n": start["n"],
        "name": start["name"],
        "queue": dag.queue,
        "version": run["version"],
        "python": run["python"],
        "state": State.PENDING.value,
        "stop": None,
        "reason": None,
        "data": start.get("data"),
    }
