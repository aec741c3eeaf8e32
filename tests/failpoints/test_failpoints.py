"""Real services are killed at their failpoints, or lose a reply there, and what was under way ends as it must.

Here twenty of them, spread over all steps; FAILPOINTS=all in the environment, as `make failpoints` sets it, tries every
fault at every step. The simulation tries them all in any case.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.support import PATIENCE
from tests.failpoints.scenes import FLOW, Scene
from tests.simulation.steps import all_steps

from lightflow.local.stack import Stack
from lightflow.runtime.failpoints import KILL_AFTER, KILL_BEFORE, LOST, REFUSED, SWITCH

TIMES = """
engine:
  lease_interval: 0.3
  lease_timeout: 4.0
  self_fence: 3.0
  sweep_interval: 0.5
"""
SAMPLE = 20

SCENES = {
    "lightflow.runtime.logs:remove_logs": Scene.pruned,
    "lightflow.runtime.membership:Membership.leave": Scene.restarted,
    "lightflow.runtime.membership:Membership.enter": Scene.restarted,
    "lightflow.runtime.payloads:Payloads._remove": Scene.pruned,
    "lightflow.runtime.takeback:TakeBack.end": Scene.killed,
    "lightflow.runtime.takeback:TakeBack.from_dead": Scene.killed,
    "lightflow_scheduler.registry:register": Scene.restarted,
    "lightflow_scheduler.registry:unregister": Scene.restarted,
    "lightflow_scheduler.retention:Retention._remove": Scene.pruned,
    "lightflow_scheduler.retention:Retention._remove_versions": Scene.pruned,
    "lightflow_scheduler.runs:Runs.stop": Scene.stopped,
    "lightflow_scheduler.store:Store.stop_dags": Scene.stopped,
    "lightflow_scheduler.workflows:Workflows.deploy": Scene.deployed,
    "lightflow_scheduler.workflows:Workflows.undeploy": Scene.deployed,
    "lightflow_task_worker.publishing:publish": Scene.changed,
    "lightflow_task_worker.store:Store.claim_several": Scene.crowded,
}
"""What reaches a step; the others are reached by an ordinary run."""


def points() -> list[tuple[str, str]]:
    """Every fault at every step that a scene reaches."""
    writes = {step.name: step.writes for step in sorted(all_steps()) if step.name not in RARE}
    faults = {True: (KILL_BEFORE, KILL_AFTER, LOST, REFUSED), False: (KILL_BEFORE, KILL_AFTER)}
    return [(name, fault) for name in writes for fault in faults[writes[name]]]


RARE = {
    "lightflow_dag_runner.loop:DagRunner.look": "where a look died after a stop; tests/integration/test_scheduler.py",
    "lightflow_dag_runner.sweep:DagSweep.act": "where a hint was lost; in the simulation",
    "lightflow_scheduler.sweep:RunSweep.act": "as above",
    "lightflow_scheduler.loading:Loading._released": "where a loader died; tests/integration/test_loading.py",
    "lightflow_scheduler.loading:Loading._take_back": "where nobody answers; tests/contract/test_workflows.py",
    "lightflow.runtime.creation:_create_missing": "where a look that began broke off; in the simulation",
    "lightflow_scheduler.runs:Runs._insert_several": "where starts come together; tests/contract/test_runs.py",
    "lightflow_scheduler.runs:Runs._begin": "in a queue that another scheduler serves; tests/e2e",
    "lightflow_scheduler.store:Store.fail": "where a version cannot be read; tests/integration/test_scheduler.py",
    "lightflow_scheduler.workers_view:WorkersView.stop": "a person's request, repeated as it is",
    "lightflow_task_worker.lease:Lease._end_forgotten": "where a claim got no reply for good; in the simulation",
    "lightflow_task_worker.loading:Loader._listen": "where a loader is busy; tests/integration/test_loading.py",
    "lightflow_task_worker.loop:TaskWorker._pass_on": "where a hint is one too many",
    "lightflow_task_worker.store:Store._alone": "where an outcome comes too late; tests/integration/test_claiming.py",
    "lightflow_task_worker.store:Store.hand_back": "where a stop comes between claim and user code; in the simulation",
    "lightflow.runtime.hints:Hints._publish_to": "in a thread of its own; its callers have failpoints",
    "lightflow.runtime.notify:Notifier._flush": "a notification is lost more simply: redis is emptied in tests/chaos",
    "lightflow.runtime.signing:_key_in_database": "where no key file is configured, before the service serves",
}
"""Steps that no scene reaches, and why."""


def chosen() -> list[tuple[str, str]]:
    every = points()
    return every if os.environ.get("FAILPOINTS") == "all" else every[:: max(1, len(every) // SAMPLE)][:SAMPLE]


@pytest.fixture(scope="module")
def armed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file that says where to strike."""
    return tmp_path_factory.mktemp("failpoints") / "strike"


@pytest.fixture(scope="module")
def scene(armed: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    config = tmp_path_factory.mktemp("config") / "lightflow.cfg"
    config.write_text(TIMES)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(SWITCH, str(armed))
        options: dict[str, Any] = {"workflows": (str(FLOW.parent),), "config": str(config), "task_slots": 2}
        with Stack.temporary(replicas={"task-worker": 2}, **options) as stack:
            yield Scene(stack)


@pytest.mark.timeout(4 * PATIENCE)
@pytest.mark.parametrize(("step", "fault"), chosen(), ids=str)
def test_a_fault_at_this_step_does_no_harm(scene: Scene, armed: Path, step: str, fault: str) -> None:
    order = armed.with_suffix(".new")
    order.write_text(f"{step}/{fault}")
    order.rename(armed)
    try:
        SCENES.get(step, Scene.ordinary)(scene)
        assert not armed.exists(), f"{step} was never reached"
    finally:
        armed.unlink(missing_ok=True)
    Scene.ordinary(scene)
