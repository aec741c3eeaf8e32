"""Errors of the job and worker records of the Python API."""

from lightflow.core.exception import LightflowException


class EventTypeUnknown(LightflowException):
    """An event of an unknown type."""

    template = "The type of the event is unknown."


class JobEventTypeUnsupported(LightflowException):
    """A job event of a type that has no object."""

    template = "The type of the job event is not supported."


class WorkerEventTypeUnsupported(LightflowException):
    """A worker event of a type that has no object."""

    template = "The type of the worker event is not supported."


class JobStatInvalid(LightflowException):
    """The record of a job lacks something."""

    template = "The record of the job is invalid."
