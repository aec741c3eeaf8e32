import pytest

from lightflow.core.errors import WorkerArgumentInvalid
from lightflow.runtime.worker.arguments import Choices, parse


@pytest.mark.parametrize("words", [["-c", "4"], ["-c4"], ["-c=4"], ["--concurrency", "4"], ["--concurrency=4"]])
def test_concurrency_is_task_slots_however_it_is_written(words: list[str]) -> None:
    assert parse(words) == Choices(slots=4)


def test_all_that_have_a_meaning_are_translated() -> None:
    words = ["--autoscale=8,2", "-l", "warning", "-n", "gpu@%h", "--max-tasks-per-child", "100"]
    assert parse(words) == Choices(slots=8, log_level="WARNING", name="gpu", max_tasks_per_child=100)


def test_without_arguments_the_configuration_holds() -> None:
    assert parse([]) == Choices()


@pytest.mark.parametrize("words", [["--pool=gevent"], ["-Q", "task"], ["-E"], ["--beat"], ["word"], ["-"]])
def test_any_other_is_named(words: list[str]) -> None:
    with pytest.raises(WorkerArgumentInvalid, match=words[0]):
        parse(words)


@pytest.mark.parametrize("words", [["-c", "0"], ["-c", "many"], ["-c"], ["-l", "loud"], ["-n", "@%h"]])
def test_a_value_that_cannot_be_is_named_with_its_option(words: list[str]) -> None:
    with pytest.raises(WorkerArgumentInvalid, match=f"{words[0]}.*it takes"):
        parse(words)
