"""What is measured, side by side: this system, and a bare Celery worker, on one redis and one mongod."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from celery import Celery
from pymongo import MongoClient
from redis import Redis
from tests.benchmarks import celery_app

from lightflow.client import Client
from lightflow.config import Config
from lightflow.local.stack import Stack
from lightflow.runtime.broker import broker_url
from lightflow.runtime.mongo import store_uri
from lightflow.runtime.notify import signal_url

FLOWS = Path(__file__).with_name("flows")
SLOTS = 2


@dataclass(frozen=True, slots=True)
class System:
    """Both sides, and their servers."""

    stack: Stack
    client: Client
    celery: Celery
    db: Any
    redis: "Redis[bytes]"


@contextmanager
def system() -> Iterator[System]:
    """Both sides for as long as the block lasts, with as many processes for tasks each."""
    with Stack.temporary(task_slots=SLOTS, workflows=(str(FLOWS),)) as stack, Client(stack.target) as client:
        config = Config.from_file(stack.info.config)
        # A database of redis of its own, so that neither sees the other's keys.
        url = broker_url(config).partition("?")[0] + "?virtual_host=1"
        mongo: MongoClient[Any] = MongoClient(store_uri(config), tz_aware=True)
        with mongo, Redis.from_url(signal_url(config)) as redis, bare_celery(url) as app:
            yield System(stack, client, app, mongo["lightflow"], redis)


@contextmanager
def bare_celery(url: str) -> Iterator[Celery]:
    """A Celery worker as the documentation says, without the chatter among workers."""
    app = celery_app.configured(url)
    command = [sys.executable, "-m", "celery", "-A", "tests.benchmarks.celery_app", "worker", f"--concurrency={SLOTS}"]
    command += ["--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel=WARNING"]
    with tempfile.TemporaryFile() as log:
        # It refuses to take pickles as root otherwise; what it takes is sent from here.
        environment = {**os.environ, celery_app.URL: url, "C_FORCE_ROOT": "1"}
        worker = subprocess.Popen(command, env=environment, stdout=log, stderr=subprocess.STDOUT)
        try:
            celery_app.nothing.apply_async().get(timeout=60)
            yield app
        finally:
            worker.terminate()
            worker.wait()
            app.close()
