"""The Celery edge: a hint means "try attempt Z"."""

from collections.abc import Callable

from lightflow.config import Config
from lightflow.core.states import Service
from lightflow.runtime.broker import make_app
from lightflow.runtime.consumer import HintConsumer
from lightflow_task_worker.settings import Settings


def consumer(config: Config, settings: Settings, try_attempts: Callable[[list[str]], None]) -> HintConsumer:
    """Takes the hints of this service's queues."""
    return HintConsumer(lambda: make_app(config, settings.name), Service.TASK_WORKER, settings.queues, try_attempts)
