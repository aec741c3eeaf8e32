from pathlib import Path

import pytest

from lightflow.config import Config
from lightflow.core.errors import WorkerNameTaken
from lightflow.runtime.services import serving
from lightflow.runtime.supervision.processes import Ready
from lightflow.runtime.worker import places, plan
from lightflow.runtime.worker.arguments import Choices


@pytest.fixture
def config() -> Config:
    config = Config()
    config.load_from_dict({})
    return config


def test_default_queues_are_served_by_their_own_service() -> None:
    assert serving(["workflow", "dag", "task"]) == {
        "scheduler": ("workflow",),
        "dag-runner": ("dag",),
        "task-worker": ("task",),
    }
    assert serving(["task"]) == {"task-worker": ("task",)}


def test_a_queue_of_ones_own_is_served_by_all_services() -> None:
    assert serving(["gpu", "task", "gpu"]) == {
        "scheduler": ("gpu",),
        "dag-runner": ("gpu",),
        "task-worker": ("gpu", "task"),
    }


def test_a_process_for_each_service_tells_when_it_is_ready_and_may_end() -> None:
    (scheduler, runner) = plan.processes(["workflow", "dag"], Path("/c.cfg"), grace=10)
    assert (scheduler.service, runner.service) == ("scheduler", "dag-runner")
    assert scheduler.environment["LIGHTFLOW_QUEUES"] == "workflow"
    assert scheduler.environment["LIGHTFLOW_CONFIG"] == "/c.cfg"
    assert (scheduler.ready, scheduler.may_end, scheduler.log, scheduler.grace) == (Ready.DESCRIPTOR, True, None, 15)


def test_what_was_chosen_is_laid_over_the_configuration(config: Config) -> None:
    tree = plan.configuration(config.to_dict(), "w", Choices(slots=3, log_level="DEBUG", max_tasks_per_child=5))
    assert (tree["engine"]["worker_name"], tree["engine"]["task_slots"]) == ("w", 3)
    assert tree["celery"]["worker_max_tasks_per_child"] == 5
    assert {tree["logging"]["root"]["level"], tree["logging"]["handlers"]["console"]["level"]} == {"DEBUG"}
    assert config.engine["worker_name"] is None


def test_workers_of_one_machine_and_store_get_names_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(places.tempfile, "gettempdir", lambda: str(tmp_path))
    with places.taken(None, "store") as first, places.taken(None, "store") as second, places.taken(None, "x") as other:
        assert [first.name, second.name, other.name] == ["worker", "worker-2", "worker"]
        assert len({first.config, second.config, other.config}) == 3
    with places.taken(None, "store") as again:
        assert again == first


def test_a_name_that_a_living_worker_has_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places.tempfile, "gettempdir", lambda: str(tmp_path))
    for first, second in (("a/b", "a/b"), (None, "worker")):
        with places.taken(first, "store"), pytest.raises(WorkerNameTaken, match="-n"), places.taken(second, "store"):
            pass
