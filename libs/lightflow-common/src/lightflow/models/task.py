"""The base of task types, where modules written for Lightflow 1 import it from."""

from lightflow.models.base_task import BaseTask, TaskStatus

__all__ = ["BaseTask", "TaskStatus"]
