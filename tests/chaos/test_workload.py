"""Plans and schedules are what their seeds say, and cover what they are to cover."""

from pathlib import Path

from tests.chaos.expected import expect, prepare
from tests.chaos.faults import FAULTS
from tests.chaos.faults.steps import STEPS
from tests.chaos.flows.workload import HUGE, TROUBLE, plan_of
from tests.chaos.schedule import schedule
from tests.simulation.steps import all_steps

PLANS = [plan_of(seed) for seed in range(300)]
TASKS = [task for plan in PLANS for dag in plan.dags for task in dag.tasks]


def test_a_plan_is_the_same_each_time_and_another_for_another_seed() -> None:
    assert plan_of(5) == plan_of(5) != plan_of(6)


def test_plans_have_all_that_a_workflow_may_have() -> None:
    assert {task.ending for task in TASKS} == {"returns", "stops", "stops alone", *TROUBLE}
    assert any(task.limit == () for task in TASKS)
    assert any(task.force_run for task in TASKS)
    assert any(not task.propagate_skip for task in TASKS)
    assert {task.failures for task in TASKS} == {0, 1, 2, 3}
    assert any(task.starts and task.pushes for task in TASKS)
    assert {0, 200, 70_000, HUGE} <= {task.size for task in TASKS}
    sizes = [len(plan.dags[0].tasks) for plan in PLANS]
    assert min(sizes) == 1
    assert 200 < max(sizes) <= 300


def test_a_plan_has_one_end_however_its_tasks_are_interleaved(tmp_path: Path) -> None:
    folder = prepare(tmp_path / "flows")
    steady = [plan.seed for plan in PLANS if not plan.has_trouble and any(task.starts for task in plan.dags[0].tasks)]
    for seed in steady[:5]:
        assert expect(folder, seed, 20) == expect(folder, seed, 20)


def test_every_fault_strikes_in_a_schedule_as_often_as_was_asked() -> None:
    lanes: dict[str, list[str]] = {}
    for name, fault in FAULTS.items():
        lanes.setdefault(fault.lane, []).append(name)
    strikes, again, other = (schedule(seed, 60.0, lanes, least=lambda _: 2) for seed in (1, 1, 2))
    assert strikes == again != other
    assert {name: [strike.fault for strike in strikes].count(name) for name in FAULTS} == dict.fromkeys(FAULTS, 2)
    assert all(0.0 <= strike.at < 60.0 for strike in strikes)


def test_the_steps_that_are_struck_exist() -> None:
    assert {step for fault in STEPS for step in fault.steps} <= {step.name for step in all_steps()}
