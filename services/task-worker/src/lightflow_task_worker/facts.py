"""What an attempt must know besides its own document, and whether it is to stop."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from lightflow.core import ids
from lightflow.core.states import GOING_ON, Reason, State
from lightflow.runtime.batches import Batches, Turns
from lightflow.runtime.mongo import NOW, Database, Document


@dataclass(frozen=True, slots=True)
class StopFacts:
    """Whether an attempt should stop, and in how many seconds it is to be killed (None: not at all).

    `too_early` is set until it is recorded that run and DAG run have begun: a stop ends it at once as long as they
    have not.
    """

    reason: Reason | None = None
    kill_in: float | None = None
    too_early: bool = False


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What is known about an attempt before its user code runs; `outputs` and `states` by index of the predecessor."""

    stop: StopFacts
    workflow: str
    start_data: Document | None
    states: dict[int, State] = field(default_factory=dict)
    outputs: dict[int, Document] = field(default_factory=dict)


class Facts:
    """Reads what others decide about a worker's attempts."""

    def __init__(self, db: Database, turns: Turns) -> None:
        self._runs = db["runs"]
        self._of_roots = Batches(self.of_dag_runs, turns)

    async def circumstances(self, task: Document, parents: Sequence[str]) -> Circumstances:
        """What an attempt must know before it begins, and how these tasks before it ended, in one command."""
        if not parents:
            return await self._of_roots.one(task["dag_run"])
        outputs = [{"$match": {"_id": {"$in": parents}}}, {"$project": {"index": 1, "state": 1, "output": 1}}]
        of_parents = {"$unionWith": {"coll": "task_runs", "pipeline": outputs}}
        pipeline = [*_stop_questions([task["run"]], [task["dag_run"]]), of_parents]
        run: Document = {}
        dag_run: Document = {}
        states: dict[int, State] = {}
        found_outputs: dict[int, Document] = {}
        async for document in await self._runs.aggregate(pipeline):
            if document["_id"] == task["run"]:
                run = document
            elif document["_id"] == task["dag_run"]:
                dag_run = document
            else:
                states[document["index"]] = State(document["state"])
                if document.get("output"):
                    found_outputs[document["index"]] = document["output"]
        stop = _stop_facts(run, dag_run)
        return Circumstances(stop, run.get("workflow", ""), dag_run.get("data"), states, found_outputs)

    async def of_dag_runs(self, dag_runs: Sequence[str]) -> list[Circumstances]:
        """What attempts in these DAG runs must know, but for what came before them there."""
        pairs = await self._runs_of(dag_runs)
        return [Circumstances(_stop_facts(*pair), pair[0].get("workflow", ""), pair[1].get("data")) for pair in pairs]

    async def stop_facts(self, tasks: Iterable[Document]) -> dict[str, StopFacts]:
        """The stop facts of attempts, by id, in one command."""
        tasks = list(tasks)
        pairs = await self._runs_of([task["dag_run"] for task in tasks])
        return {task["_id"]: _stop_facts(*pair) for task, pair in zip(tasks, pairs, strict=True)}

    async def _runs_of(self, dag_runs: Sequence[str]) -> list[tuple[Document, Document]]:
        """Each of these DAG runs after its run; empty where there is none."""
        runs = [ids.run_of(dag_run) for dag_run in dag_runs]
        pipeline = _stop_questions(runs, list(dag_runs))
        found = {document["_id"]: document async for document in await self._runs.aggregate(pipeline)}
        return [(found.get(run, {}), found.get(dag_run, {})) for run, dag_run in zip(runs, dag_runs, strict=True)]


def _stop_questions(runs: list[str], dag_runs: list[str]) -> list[dict[str, Any]]:
    of_run = {"state": 1, "reason": 1, "workflow": 1, "kill_in": {"$subtract": ["$kill_at", NOW]}}
    of_dag_run = {"state": 1, "stop": 1, "data": 1}
    return [
        {"$match": {"_id": {"$in": runs}}},
        {"$project": of_run},
        {
            "$unionWith": {
                "coll": "dag_runs",
                "pipeline": [{"$match": {"_id": {"$in": dag_runs}}}, {"$project": of_dag_run}],
            }
        },
    ]


def _stop_facts(run: Document, dag_run: Document) -> StopFacts:
    if not run:
        return StopFacts(Reason.STOPPED)
    kill_in = run.get("kill_in")
    seconds = None if kill_in is None else max(0.0, kill_in / 1000)
    if State(run["state"]) not in GOING_ON:
        return StopFacts(Reason(run.get("reason") or Reason.STOPPED), seconds)
    if not dag_run:  # it is about to be created: tasks may be before it
        return StopFacts(None, seconds, too_early=True)
    if dag_run.get("stop") or State(dag_run["state"]) not in GOING_ON:
        return StopFacts(Reason(dag_run.get("stop") or Reason.STOPPED), seconds)
    return StopFacts(None, seconds, too_early=State(run["state"]) is State.PENDING)
