"""What must be so when a run is over: the record, the witness's ledger and the plan held against each other."""

from collections import Counter, defaultdict
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from tests.simulation.faults import Fault
from tests.simulation.plan import MAIN, SIDE, SUB, expected

from lightflow.core.outcomes import Ending
from lightflow.core.states import FINAL, State

if TYPE_CHECKING:
    from tests.simulation.world import World

ARGUMENTS = {"size": "3", "place.x": "north"}

AFTER_STOP = 1.0
"""Seconds in which what had been claimed before a stop was acknowledged may still begin."""


def audit(world: "World", keep_data: bool) -> list[str]:
    """What is wrong with a run that is through."""
    findings = [*_dag_runs(world), *_executions(world), *_data(world, keep_data), *_leftovers(world)]
    if world.plan.is_certain:
        findings += _certain(world)
    elif world.run["state"] == State.SUCCEEDED and world.plan.troubled and _ran_trouble(world):
        findings.append("a task aborted or failed, and the run succeeded")
    return findings


def _tasks(world: "World") -> list[dict[str, Any]]:
    return list(world.server.documents("task_runs").values())


def _dag_runs(world: "World") -> list[str]:
    found = {dag_run["name"]: dag_run for dag_run in world.server.documents("dag_runs").values()}
    starts = world.run["starts"]
    findings = []
    for start in starts:
        dag_run = found.get(start["name"])
        if dag_run is None:
            if world.run.get("started_at") is not None:
                findings.append(f"{start['name']} was asked for and does not exist")
        elif dag_run["state"] not in FINAL:
            findings.append(f"the run is over and {start['name']} is {dag_run['state']}")
    requests = Counter(start["request"] for start in starts if start["request"] != "autostart")
    findings += [f"request {request} started {count} DAG runs" for request, count in requests.items() if count > 1]
    asked_for = sum(execution.dags_asked_for for execution in world.executions)
    if len(requests) > asked_for:
        findings.append(f"{asked_for} DAGs were asked for and {len(requests)} started")
    names = Counter(start["name"] for start in starts)
    return findings + [f"{count} DAG runs are called {name}" for name, count in names.items() if count > 1]


def _executions(world: "World") -> list[str]:
    findings = []
    states = {task["_id"]: task for task in _tasks(world)}
    by_task: dict[str, list[Any]] = defaultdict(list)
    for execution in world.executions:
        by_task[execution.task_run].append(execution)
        if world.stopped_at is not None and execution.start > world.stopped_at + AFTER_STOP and not world.faults.pauses:
            findings.append(f"{execution.task_run} began after the stop was acknowledged")
        if execution.run_state == State.PENDING:
            findings.append(f"{execution.task_run} began before its run, which a stop would have ended at once")
    if not (world.faults.struck or world.faults.outages or world.faults.pauses):
        findings += [f"an attempt of {name} was lost, and nobody died" for name, task in states.items() if _lost(task)]
    for name, executions in by_task.items():
        if states[name]["state"] == State.SKIPPED:
            findings.append(f"{name} was skipped and ran")
        findings += _overlaps(world, name, executions)
    return findings


def _lost(task: dict[str, Any]) -> bool:
    return any(attempt["outcome"] == Ending.LOST for attempt in task["attempts"])


def _overlaps(world: "World", name: str, executions: list[Any]) -> list[str]:
    """No two attempts at once, except where a pause outlasted the lease."""
    if world.faults.pauses:
        return []
    ordered = sorted(executions, key=lambda execution: execution.start)
    return [
        f"{name} ran twice at once: {one.process.name} until {one.end}, {two.process.name} from {two.start}"
        for one, two in pairwise(ordered)
        if one.end is None or one.end > two.start
    ]


def _data(world: "World", keep_data: bool) -> list[str]:
    records = [record for record in world.server.documents("workflow-data").values() if record.get("run")]
    if not keep_data:
        # A write that took effect after the end of its run waits for retention.
        late = world.faults.struck[Fault.LATE]
        return [f"{len(records)} records of data were left"] if records and not late else []
    items = Counter(item for record in records if record["path"] == "pushed" for item in record["value"])
    stored = {record["path"]: record["value"] for record in records if record["kind"] == "set"}
    # A run that was stopped before it began may have been on the way to store them.
    whole = world.run.get("started_at") is not None
    right = stored == ARGUMENTS if whole else stored.items() <= ARGUMENTS.items()
    findings = [] if right else [f"the arguments are stored as {stored}"]
    findings += [f"{item} was pushed {count} times" for item, count in items.items() if count > 1]
    for task in _tasks(world):
        if task["state"] == State.SUCCEEDED:
            last = max((each for each in world.executions if each.task_run == task["_id"]), key=lambda each: each.start)
            findings += [f"{item} was pushed and is lost" for item in last.pushed if item not in items]
    return findings


def _leftovers(world: "World") -> list[str]:
    findings = [f"{task['_id']} is still held" for task in _tasks(world) if task.get("holder")]
    return findings + [f"{task['_id']} is {task['state']}" for task in _tasks(world) if task["state"] not in FINAL]


def _ran_trouble(world: "World") -> bool:
    return any(task["state"] in (State.ABORTED, State.FAILED) for task in _tasks(world))


def _certain(world: "World") -> list[str]:
    """Where nothing stops, every end is known."""
    findings = []
    if world.run["state"] != State.SUCCEEDED:
        findings.append(f"the run ended {world.run['state']}: {world.run['error']}")
    wanted = {name: expected(world.plan, world.plan.spec.dag(name)) for name in (MAIN, SIDE, SUB) if _has(world, name)}
    for task in _tasks(world):
        end = wanted[task["dag"].partition(":")[0]]
        if task["state"] != end.states[task["task"]]:
            findings.append(f"{task['_id']} is {task['state']}, not {end.states[task['task']]}")
        if _output(world, task) != end.outputs.get(task["task"]):
            findings.append(f"{task['_id']} has another output than without faults")
    return findings


def _has(world: "World", name: str) -> bool:
    return any(dag.name == name for dag in world.plan.spec.dags)


def _output(world: "World", task: dict[str, Any]) -> bytes | None:
    output = task.get("output") or {}
    if "blob" not in output:
        return output.get("data")
    chunks = [chunk for chunk in world.server.documents("blobs.chunks").values() if chunk["files_id"] == output["blob"]]
    return b"".join(chunk["data"] for chunk in sorted(chunks, key=lambda chunk: chunk["n"]))


def remains(world: "World") -> list[str]:
    """What is left of a run that was pruned, and of versions that nothing uses."""
    return [
        f"{collection} keeps {name} of a run that was removed"
        for collection in ("runs", "dag_runs", "task_runs", "logs", "workflow-data", "blobs.files", "blobs.chunks")
        for name, document in world.server.documents(collection).items()
        if collection != "workflow-data" or document.get("run")
    ]
