"""What must come of a plan: the same workflow, carried out by the in-process runner, which knows no faults."""

import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from shutil import copytree, ignore_patterns
from typing import Any

from tests.chaos.flows.workload import Plan, plan_of

from lightflow.core.states import FINAL, State

FLOWS = Path(__file__).parent / "flows"

FILE = '''"""The plan of seed {seed}."""

from chaos_flow import dags_of

globals().update(dags_of({seed}, {largest}, {folder!r}))
'''

Result = tuple[str, str]
"""What a task hands on: the digest of its inputs and its part, and that of its bytes."""


@dataclass(frozen=True)
class ExpectedTask:
    """How a task ends, and with what; `final` is False for one that a trouble kept from ending."""

    state: State
    result: Result | None


@dataclass(frozen=True)
class Expected:
    """How a run of a plan ends. DAG runs are told apart by their origin: their name, or what they were started with."""

    plan: Plan
    state: State
    dags: Mapping[str | None, Mapping[str, ExpectedTask]]


def prepare(folder: Path) -> Path:
    """A folder with the helpers of the workflow files."""
    return Path(copytree(FLOWS, folder, ignore=ignore_patterns("__pycache__")))


def write(folder: Path, seed: int, largest: int, orders: Path | None) -> Path:
    """The workflow file of a seed, beside its helpers."""
    file = folder / f"plan_{seed}.py"
    file.write_text(FILE.format(seed=seed, largest=largest, folder=orders and str(orders)))
    return file


def expect(folder: Path, seed: int, largest: int) -> Expected:
    """Carry out the plan of a seed without faults."""
    from lightflow.local import run

    result = run(write(folder, seed, largest, None), sleep=lambda _: None)
    dags: dict[str | None, dict[str, ExpectedTask]] = {}
    for name, dag in result.dag_runs.items():
        outputs = {task.name: pickle.loads(task.output) for task in dag.tasks.values() if task.output}
        tasks = {task.name: ExpectedTask(task.state, result_of(outputs.get(task.name))) for task in dag.tasks.values()}
        assert dag.state in FINAL
        dags[origin_of(name, outputs)] = tasks
    return Expected(plan_of(seed, largest), result.state, dags)


def origin_of(name: str, outputs: dict[str, Any]) -> str | None:
    """What tells a DAG run from others in another execution of the same plan; None where its first task did not end."""
    if name.partition(":")[0] in ("main", "beside"):
        return name
    return outputs["first"].get("origin") if "first" in outputs else None


def result_of(output: Any) -> Result | None:
    """What an output comes to; None for that of a task that stopped, which hands on what it was given."""
    if output is None or output.get("result") is None:
        return None
    return output["result"], sha256(output["output"]).hexdigest()[:16]
