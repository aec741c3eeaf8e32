"""How a task speaks to its run, where modules written for Lightflow 1 import it from."""

from lightflow.models.signals import TaskSignal

__all__ = ["TaskSignal"]
