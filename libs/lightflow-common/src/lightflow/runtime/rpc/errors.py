"""Errors between server and client: one table from class to status code, and the error itself in trailing metadata."""

import json
from typing import Any, Final

import grpc

from lightflow.core import errors as known
from lightflow.core.errors import LightflowException, NoControlService, RequestFailed

ERROR_KEY: Final = "lightflow-error-bin"
_LONGEST_TEXT: Final = 16 * 1024
_LONGEST_DETAILS: Final = 1024

_Code = grpc.StatusCode

STATUS: Final[dict[type[LightflowException], grpc.StatusCode]] = {
    LightflowException: _Code.UNKNOWN,
    # What the caller said cannot be right, whatever the state of the system.
    known.InvalidRequest: _Code.INVALID_ARGUMENT,
    known.RequestActionUnknown: _Code.INVALID_ARGUMENT,
    known.WorkflowArgumentError: _Code.INVALID_ARGUMENT,
    known.WorkflowImportError: _Code.INVALID_ARGUMENT,
    known.WorkflowDefinitionError: _Code.INVALID_ARGUMENT,
    known.WorkflowUnpicklable: _Code.INVALID_ARGUMENT,
    known.DirectedAcyclicGraphInvalid: _Code.INVALID_ARGUMENT,
    known.DirectedAcyclicGraphUndefined: _Code.INVALID_ARGUMENT,
    known.DataStoreIDInvalid: _Code.INVALID_ARGUMENT,
    known.DataStoreKeyInvalid: _Code.INVALID_ARGUMENT,
    known.DataStoreDecodeUnknownType: _Code.INVALID_ARGUMENT,
    known.DataTooLarge: _Code.INVALID_ARGUMENT,
    known.DataInvalidIndex: _Code.INVALID_ARGUMENT,
    known.DataInvalidAlias: _Code.INVALID_ARGUMENT,
    known.RunAmbiguous: _Code.INVALID_ARGUMENT,
    known.TaskAmbiguous: _Code.INVALID_ARGUMENT,
    known.EventTypeUnknown: _Code.INVALID_ARGUMENT,
    known.JobEventTypeUnsupported: _Code.INVALID_ARGUMENT,
    known.WorkerEventTypeUnsupported: _Code.INVALID_ARGUMENT,
    known.TaskReturnActionInvalid: _Code.INVALID_ARGUMENT,
    known.OutputUnpicklable: _Code.INVALID_ARGUMENT,
    # What it named does not exist, or exists already.
    known.RunUnknown: _Code.NOT_FOUND,
    known.TaskUnknown: _Code.NOT_FOUND,
    known.DagNameUnknown: _Code.NOT_FOUND,
    known.WorkflowUnknown: _Code.NOT_FOUND,
    known.WorkerUnknown: _Code.NOT_FOUND,
    known.WorkerArgumentInvalid: _Code.INVALID_ARGUMENT,
    known.WorkerNameTaken: _Code.ALREADY_EXISTS,
    known.ResultMissing: _Code.NOT_FOUND,
    known.DataStoreIDExists: _Code.ALREADY_EXISTS,
    # The system is in a state in which it cannot be done; repeating it as it is does not help.
    known.RunFinished: _Code.FAILED_PRECONDITION,
    known.NoWorkerAvailable: _Code.FAILED_PRECONDITION,
    known.PythonMismatch: _Code.FAILED_PRECONDITION,
    known.JoinImpossible: _Code.FAILED_PRECONDITION,
    known.DataStoreNotAList: _Code.FAILED_PRECONDITION,
    known.DocumentTooNew: _Code.FAILED_PRECONDITION,
    known.ConfigLoadError: _Code.FAILED_PRECONDITION,
    known.ConfigOverwriteError: _Code.FAILED_PRECONDITION,
    known.ConfigNotDefinedError: _Code.FAILED_PRECONDITION,
    known.ConfigFieldError: _Code.FAILED_PRECONDITION,
    known.StackError: _Code.FAILED_PRECONDITION,
    # Another one has taken over, or the user's code ended it.
    known.AttemptSuperseded: _Code.ABORTED,
    known.IllegalMove: _Code.ABORTED,
    known.AbortWorkflow: _Code.ABORTED,
    known.StopTask: _Code.ABORTED,
    known.NoRetry: _Code.ABORTED,
    known.LoadTimeout: _Code.DEADLINE_EXCEEDED,
    known.TaskTimeout: _Code.DEADLINE_EXCEEDED,
    # Something is down; it may be repeated.
    known.ServiceUnavailable: _Code.UNAVAILABLE,
    known.NoControlService: _Code.UNAVAILABLE,
    known.DataStoreNotConnected: _Code.UNAVAILABLE,
    # What is stored is not what was stored.
    known.PayloadForged: _Code.DATA_LOSS,
    known.DataStoreGridfsIdInvalid: _Code.DATA_LOSS,
    known.JobStatInvalid: _Code.DATA_LOSS,
    known.RequestFailed: _Code.INTERNAL,
}
"""A class stands for its subclasses, as far as they have no line of their own."""

_IN_WORDS: Final = {
    _Code.DEADLINE_EXCEEDED: "the control service at {target} did not answer in time; try again, or look at its log",
    _Code.UNAUTHENTICATED: "the control service at {target} wants a token: {details}",
    _Code.PERMISSION_DENIED: "the control service at {target} does not allow this: {details}",
    _Code.UNIMPLEMENTED: "the control service at {target} does not know this call; upgrade it",
    _Code.RESOURCE_EXHAUSTED: "the message is too large for the control service at {target}: {details}",
}


def status_of(error: LightflowException) -> grpc.StatusCode:
    """The status code that an error is answered with."""
    return next(STATUS[cls] for cls in type(error).__mro__ if cls in STATUS)


def details_of(error: LightflowException) -> str:
    """What clients that do not know our metadata show."""
    return _short(str(error), _LONGEST_DETAILS)


def to_metadata(error: LightflowException) -> tuple[tuple[str, bytes], ...]:
    """The error itself, for the trailing metadata of an answer."""
    said = json.dumps(_shortened(error.to_json()), default=str)
    return ((ERROR_KEY, said.encode()),)


def from_call(error: grpc.RpcError, target: str) -> LightflowException:
    """The error that the service raised, or what the failed call means."""
    call: Any = error
    for key, value in call.trailing_metadata() or ():
        if key == ERROR_KEY:
            return LightflowException.from_json(json.loads(value))
    code, details = call.code(), call.details() or ""
    if code is _Code.UNAVAILABLE:
        return NoControlService((target,))
    words = _IN_WORDS.get(code, "the control service at {target} answered {code}: {details}")
    return RequestFailed(words.format(target=target, code=code.name, details=details))


def _shortened(value: Any) -> Any:
    """The value with long texts cut in the middle: metadata has a bound, and both ends of a traceback matter."""
    if isinstance(value, str):
        return _short(value, _LONGEST_TEXT)
    if isinstance(value, dict):
        return {key: _shortened(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_shortened(item) for item in value[:50]]
    return value


def _short(text: str, limit: int) -> str:
    half = limit // 2
    return text if len(text) <= limit else f"{text[:half]} [...] {text[-half:]}"
