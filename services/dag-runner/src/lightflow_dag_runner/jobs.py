"""The Celery edge: a hint means "look at DAG run Y"."""

from collections.abc import Callable

from lightflow.config import Config
from lightflow.core.states import Service
from lightflow.runtime.broker import make_app
from lightflow.runtime.consumer import HintConsumer
from lightflow_dag_runner.settings import Settings


def consumer(config: Config, settings: Settings, look_at: Callable[[list[str]], None]) -> HintConsumer:
    """Takes the hints of this service's queues."""
    return HintConsumer(lambda: make_app(config, settings.name), Service.DAG_RUNNER, settings.queues, look_at)
