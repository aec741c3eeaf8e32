from pathlib import Path
from typing import Any

import pytest

from lightflow.local.stack.errors import StackOptionInvalid
from lightflow.local.stack.options import StackOptions


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ({"replicas": {"task-wroker": 2}}, "no service 'task-wroker'; did you mean 'task-worker'"),
        ({"queues": {"redis": ("high",)}}, "no service 'redis'"),
        ({"replicas": {"scheduler": 0}}, "at least one scheduler, not 0"),
        ({"task_slots": 0}, "at least one task slot, not 0"),
        ({"queues": {"task-worker": (" ",)}}, "needs a name"),
        ({"queues": {"task-worker": ("a,b",)}}, "without commas"),
        ({"workflows": ("/no/such/folder",)}, "no folder /no/such/folder"),
    ],
)
def test_a_choice_that_cannot_be_is_named(choice: dict[str, Any], message: str) -> None:
    with pytest.raises(StackOptionInvalid, match=message):
        StackOptions("data", **choice).check()


def test_options_survive_the_way_to_another_process(tmp_path: Path) -> None:
    options = StackOptions("data", (str(tmp_path),), 3, {"scheduler": 2}, {"task-worker": ("high", "low")}, "my.cfg")
    options.check()
    assert StackOptions.from_json(options.to_json()) == options
