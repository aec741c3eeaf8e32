"""Every fault at every step: the steps are taken from the product's code; one that nothing reaches is an error."""

from collections import defaultdict
from collections.abc import Iterator, Mapping

from tests.simulation import schedule
from tests.simulation.faults import KILLS, Aim, Fault
from tests.simulation.steps import Step, all_steps

ELSEWHERE = {
    "lightflow_dag_runner.loop:DagRunner.look": "for what a dead look left of a run that was stopped before it began; "
    "tests/integration/test_scheduler.py",
    "lightflow.runtime.hints:Hints._publish_to": "the thread that talks to redis; tests/integration/test_hints.py",
    "lightflow.runtime.signing:_key_in_database": "before a service serves",
    "lightflow_scheduler.loading:Loading._ask": "versions exist here; tests/integration/test_loading.py",
    "lightflow_scheduler.loading:Loading._released": "as above",
    "lightflow_scheduler.loading:Loading._take_back": "as above",
    "lightflow_task_worker.loading:Loader._answer": "as above",
    "lightflow_task_worker.loading:Loader._claim": "as above",
    "lightflow_task_worker.loading:Loader._listen": "as above",
    "lightflow_task_worker.publishing:publish": "as above",
    "lightflow_task_worker.publishing:is_published": "as above",
    "lightflow_task_worker.lease:Lease._end_forgotten": "a claim that comes late: tests/integration/test_worker.py",
    "lightflow_task_worker.loop:TaskWorker._pass_on": "a hint too many: rare here; tests/integration/test_worker.py",
    "lightflow_task_worker.store:Store._alone": "a late outcome: rare here; tests/integration/test_claiming.py",
    "lightflow_scheduler.registry:register": "where the control service listens: there is no network here",
    "lightflow_scheduler.registry:unregister": "as above",
    "lightflow_scheduler.retention:Retention._remove_versions": "it is deployed; tests/contract/test_retention.py",
    "lightflow_scheduler.runs:Runs._begin": "for runs in a queue that another scheduler serves",
    "lightflow_scheduler.store:Store.fail": "for versions that cannot be read; tests/integration/test_scheduler.py",
    "lightflow_scheduler.workers_view:WorkersView.stop": "a person's request, which is repeated as it is",
    "lightflow_scheduler.workflows:Workflows.deploy": "as above",
    "lightflow_scheduler.workflows:Workflows.undeploy": "as above",
    "lightflow_scheduler.workflows:Workflows.upload": "as above",
}
"""Steps that no schedule reaches, and why; tests/chaos kills real processes there."""


MORE = 4
"""Times as many schedules are made at most while a step is left that none reaches."""


def reached(seeds: range, steps: set[Step]) -> dict[str, dict[int, int]]:
    """How often the schedule of each seed reaches which step, {step: {seed: times}}; more seeds for what is rare."""
    found: dict[str, dict[int, int]] = defaultdict(dict)
    for seed in range(seeds.start, seeds.stop + (MORE - 1) * len(seeds)):
        if seed >= seeds.stop and not _missing(steps, found):
            break
        for step, times in schedule.run(seed).faults.reached.items():
            found[step][seed] = times
    return found


def every_step(seeds: range) -> Iterator[tuple[int, Aim]]:
    """A schedule for each fault at each step, each at another time that it is reached."""
    steps = {step for step in all_steps() if step.name not in ELSEWHERE}
    found = reached(seeds, steps)
    if missing := _missing(steps, found):
        raise LookupError(f"no schedule reaches {', '.join(missing)}: widen the plans, or say why in ELSEWHERE")
    for number, step in enumerate(sorted(steps)):
        times = sorted(found[step.name].items())
        for place, fault in enumerate(Fault if step.writes else KILLS):
            seed, most = times[(number + place) % len(times)]
            yield seed, Aim(step.name, fault, 1 + (number + place) % min(most, 3))


def _missing(steps: set[Step], found: Mapping[str, object]) -> list[str]:
    return sorted(step.name for step in steps if step.name not in found)
