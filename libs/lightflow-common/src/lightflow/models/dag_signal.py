"""Whether a DAG run is to stop, where modules written for Lightflow 1 import it from."""

from lightflow.models.signals import DagSignal

__all__ = ["DagSignal"]
