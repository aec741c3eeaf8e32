"""Durable steps are listed from the code, and what the instruments say of steps is said of ones that exist."""

import ast

import pytest
from tests.failpoints.test_failpoints import RARE, SCENES
from tests.simulation.aiming import ELSEWHERE
from tests.simulation.steps import PACKAGES, all_steps

UNKNOWN_TO_FAILPOINTS = {
    "replace_one", "find_one_and_replace", "find_one_and_delete", "upload_from_stream",
    "open_upload_stream",
}  # fmt: skip


def test_the_steps_that_matter_most_are_found() -> None:
    names = {step.name for step in all_steps()}
    assert {
        "lightflow_scheduler.store:Store._save_several",
        "lightflow_dag_runner.store:Store._apply_several",
        "lightflow_task_worker.store:Store.commit_several",
        "lightflow_task_worker.store:Store.claim",
        "lightflow.runtime.takeback:TakeBack.end",
        "lightflow_dag_runner.loop:DagRunner._act",
    } <= names


def test_nothing_is_written_by_a_method_that_has_no_failpoint() -> None:
    called = {
        f"{file}:{node.lineno} {node.func.attr}"
        for folder in PACKAGES.values()
        for file in folder.rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in UNKNOWN_TO_FAILPOINTS
    }
    assert not called


@pytest.mark.parametrize("told_of", [ELSEWHERE, RARE, SCENES], ids=["ELSEWHERE", "RARE", "SCENES"])
def test_what_is_said_of_a_step_is_said_of_one_that_exists(told_of: dict[str, object]) -> None:
    assert set(told_of) <= {step.name for step in all_steps()}
