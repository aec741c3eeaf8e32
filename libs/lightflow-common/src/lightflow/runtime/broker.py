"""The Celery application: nothing of Celery but its messages is used (no results, canvas, retries, ETA or beat)."""

from typing import Any

from celery import Celery

from lightflow.config import Config
from lightflow.runtime.notify import signal_url

HINT = "lightflow.hint"
"""Name of the one Celery task there is."""

_FIXED: dict[str, Any] = {
    "task_serializer": "json",
    "accept_content": ["json"],
    "task_ignore_result": True,
    "result_backend": None,
    "task_create_missing_queues": True,
}
_TRANSPORT = {"socket_timeout": 10, "socket_connect_timeout": 5, "socket_keepalive": True}


def queue_list(service: str, queue: str) -> str:
    """The redis list of a queue: services never take each other's messages when one name is given to several."""
    return f"{service}:{queue}"


def broker_url(config: Config) -> str:
    """The broker of the `celery` section, else the redis of the `signal` section."""
    given = config.celery.get("broker_url")
    if given:
        return str(given)
    url = signal_url(config)
    return url.replace("unix://", "redis+socket://", 1) if url.startswith("unix://") else url


def make_app(config: Config, name: str) -> Celery:
    """An application for sending and taking hints; the user's settings apply where the design does not fix them."""
    app = Celery(name, broker=broker_url(config), set_as_current=False)
    given = config.celery_settings
    app.conf.update({key: value for key, value in given.items() if key != "broker_url"})
    app.conf.update(_FIXED)
    app.conf.broker_transport_options = {**_TRANSPORT, **(given.get("broker_transport_options") or {})}
    return app
