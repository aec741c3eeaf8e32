from types import SimpleNamespace

import grpc
import pytest

from lightflow.core import errors as family
from lightflow.core.errors import LightflowException, NoControlService, RequestFailed
from lightflow.runtime.rpc import errors
from lightflow.runtime.rpc.options import METADATA_LIMIT

EVERY = [each for each in vars(family).values() if isinstance(each, type) and issubclass(each, LightflowException)]


def failed(code=grpc.StatusCode.UNKNOWN, details="", metadata=()):
    return SimpleNamespace(code=lambda: code, details=lambda: details, trailing_metadata=lambda: metadata)


@pytest.mark.parametrize("cls", EVERY, ids=lambda cls: cls.__name__)
def test_every_error_has_a_status_of_its_own_or_of_the_error_it_is_a_kind_of(cls):
    own = [base for base in cls.__mro__ if base in errors.STATUS]
    assert own[0] is not LightflowException or cls is LightflowException


def test_an_error_arrives_as_the_class_that_left():
    sent = family.DirectedAcyclicGraphInvalid("main", ("a", "b"))
    got = errors.from_call(failed(metadata=errors.to_metadata(sent)), "unix:/x")
    assert (type(got), str(got), got.graph_name, got.cycle) == (type(sent), str(sent), "main", ("a", "b"))


def test_an_error_of_any_length_fits_into_the_metadata():
    sent = family.WorkflowImportError("first " + "x" * 1_000_000 + " last")
    metadata = errors.to_metadata(sent)
    assert len(metadata[0][1]) + len(errors.details_of(sent)) < METADATA_LIMIT
    got = errors.from_call(failed(metadata=metadata), "unix:/x")
    assert str(got).startswith("first")
    assert str(got).endswith("last")


def test_a_service_that_is_not_there_is_named():
    got = errors.from_call(failed(grpc.StatusCode.UNAVAILABLE), "unix:/x")
    assert isinstance(got, NoControlService)
    assert "unix:/x" in str(got)


@pytest.mark.parametrize("code", [code for code in grpc.StatusCode if code.name not in ("OK", "UNAVAILABLE")])
def test_any_other_failure_says_where_it_happened(code):
    got = errors.from_call(failed(code, "details"), "unix:/x")
    assert isinstance(got, RequestFailed)
    assert "unix:/x" in str(got)
