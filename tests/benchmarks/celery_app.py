"""The yardstick: tasks of a bare Celery application."""

import os
import time
from typing import Any

import numpy as np
from celery import Celery

URL = "BENCHMARK_REDIS"

app = Celery("benchmark")


def configured(url: str) -> Celery:
    """The application on this redis, values pickled, as arrays need it."""
    app.conf.update(
        broker_url=url,
        result_backend=url,
        task_serializer="pickle",
        result_serializer="pickle",
        accept_content=["pickle", "json"],
        broker_connection_retry_on_startup=True,
    )
    return app


if URL in os.environ:
    configured(os.environ[URL])


@app.task
def nothing(*_: Any) -> None:
    """Do nothing."""


@app.task
def clock(*_: Any) -> float:
    """When it began to run: one clock for all processes of a host."""
    return time.perf_counter()


@app.task
def array(megabytes: int) -> tuple[float, Any]:
    """When the array was ready, and the array."""
    made = np.random.default_rng(0).integers(0, 256, megabytes << 20, dtype=np.uint8)
    return time.perf_counter(), made


@app.task
def since(given: tuple[float, Any]) -> float:
    """Seconds since the array was ready, until it is here."""
    made, found = given
    assert found[-1] >= 0
    return time.perf_counter() - made
