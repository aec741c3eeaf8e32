"""The family of errors: texts, fields, and their way from process to process."""

import inspect
import pickle

import pytest

from lightflow.core import errors
from lightflow.core.errors import (
    ConfigFieldUnknown,
    DagNameUnknown,
    DirectedAcyclicGraphInvalid,
    LightflowException,
    NoControlService,
    RunUnknown,
    StopTask,
    TaskNameTaken,
    WorkflowDefinitionError,
    WorkflowUnknown,
)

SAMPLES = {"str": "x", "int": 3, "float": 1.5, "bool": True}


def make(cls: type[LightflowException]) -> LightflowException:
    wanted = [p for p in inspect.signature(cls).parameters.values() if p.default is inspect.Parameter.empty]
    return cls(*[SAMPLES.get(getattr(p.annotation, "__name__", p.annotation), ("a", "b")) for p in wanted])


FAMILY = [c for _, c in inspect.getmembers(errors, inspect.isclass) if issubclass(c, LightflowException)]


@pytest.mark.parametrize("cls", FAMILY)
def test_every_error_is_a_runtime_error_that_survives_pickling(cls: type[LightflowException]) -> None:
    error = make(cls)
    copy = pickle.loads(pickle.dumps(error))
    assert isinstance(copy, RuntimeError)
    assert type(copy) is cls
    assert (str(copy), vars(copy)) == (str(error), vars(error))


@pytest.mark.parametrize("cls", FAMILY)
def test_every_error_is_the_same_class_at_the_other_end_of_the_contract(cls: type[LightflowException]) -> None:
    error = make(cls)
    copy = LightflowException.from_json(error.to_json())
    assert (type(copy), str(copy), vars(copy)) == (cls, str(error), vars(error))


@pytest.mark.parametrize("cls", [c for c in FAMILY if c.__init__ is LightflowException.__init__])
def test_an_error_without_fields_takes_a_message(cls: type[LightflowException]) -> None:
    assert str(cls("what happened")) == "what happened"


def test_an_error_of_a_newer_release_comes_back_as_the_base_with_its_text() -> None:
    error = LightflowException.from_json({"type": "FromTheFuture", "fields": {"message": "what happened"}})
    assert str(error) == "FromTheFuture: what happened"


def test_from_json_builds_nothing_but_errors_of_the_family() -> None:
    assert type(LightflowException.from_json({"type": "dataclass", "fields": {}})) is LightflowException


def test_the_public_constructors_take_what_they_always_took() -> None:
    assert WorkflowDefinitionError("flow", "main").graph_name == "main"
    assert WorkflowDefinitionError(workflow_name="flow", graph_name="main").workflow_name == "flow"
    assert DirectedAcyclicGraphInvalid(graph_name="main").graph_name == "main"
    assert StopTask().skip_successors
    assert not StopTask("enough", skip_successors=False).skip_successors


def test_a_cycle_is_told_as_a_path() -> None:
    assert "a -> b -> a" in str(DirectedAcyclicGraphInvalid("main", ("a", "b")))


def test_a_long_cycle_is_told_in_short() -> None:
    text = str(DirectedAcyclicGraphInvalid("main", tuple(f"t{n}" for n in range(1000))))
    assert "(990 more)" in text
    assert len(text) < 300


def test_a_doubled_name_is_a_kind_of_invalid_graph() -> None:
    assert isinstance(TaskNameTaken("main", task_name="a"), DirectedAcyclicGraphInvalid)


def test_an_unknown_name_is_told_with_the_nearest_known_one() -> None:
    assert "did you mean 'main'?" in str(DagNameUnknown("mian", ("main", "other")))
    assert "did you mean 'simple'?" in str(WorkflowUnknown("simpel", ("simple",), ("/flows",)))
    assert "did you mean 'host'?" in str(ConfigFieldUnknown("store.hots", ("store.host", "store.uri")))


def test_an_unknown_name_without_likeness_is_told_with_all_there_are() -> None:
    assert str(DagNameUnknown("x", ("main", "other"))).endswith("known: 'main', 'other'")


def test_errors_say_what_to_do() -> None:
    assert "lightflowctl status" in str(RunUnknown("abc"))
    assert "lightflowctl up" in str(NoControlService(("--target",)))


class MyStop(StopTask):
    def __init__(self, code: int) -> None:
        super().__init__(f"code {code}", skip_successors=False)
        self.code = code


def test_users_may_subclass_what_tasks_raise() -> None:
    copy = pickle.loads(pickle.dumps(MyStop(5)))
    assert (str(copy), copy.code, copy.skip_successors) == ("code 5", 5, False)
