"""What workflow files and task types are made of."""

from typing import Any

from lightflow.core.errors import AbortWorkflow, NoRetry, StopTask, TaskTimeout
from lightflow.models import datastore
from lightflow.models.action import Action
from lightflow.models.base_task import BaseTask, TaskStatus
from lightflow.models.dag import Dag
from lightflow.models.datastore import DataStoreDocument, DataStoreDocumentSection
from lightflow.models.parameters import Option, Parameters
from lightflow.models.signals import DagSignal, TaskSignal
from lightflow.models.task_context import TaskContext
from lightflow.models.task_data import MultiTaskData, TaskData
from lightflow.models.task_parameters import TaskParameters
from lightflow.models.workflow import Workflow

__all__ = [
    "AbortWorkflow",
    "Action",
    "BaseTask",
    "Dag",
    "DagSignal",
    "DataStore",
    "DataStoreDocument",
    "DataStoreDocumentSection",
    "MultiTaskData",
    "NoRetry",
    "Option",
    "Parameters",
    "StopTask",
    "TaskContext",
    "TaskData",
    "TaskParameters",
    "TaskSignal",
    "TaskStatus",
    "TaskTimeout",
    "Workflow",
]


def __getattr__(name: str) -> Any:
    """`DataStore` loads when it is asked for."""
    if name != "DataStore":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return datastore.DataStore
