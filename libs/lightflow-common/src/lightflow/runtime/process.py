"""What every service process does around its work: logging, signals, readiness, and waiting for what it needs."""

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, NoReturn, TypeVar

from pymongo.errors import ConnectionFailure
from redis.exceptions import RedisError

from lightflow.config import Config
from lightflow.core import variables
from lightflow.core.errors import ConfigFieldError, LightflowException
from lightflow.logger import configure
from lightflow.runtime import health
from lightflow.runtime.cancellation import end_tasks
from lightflow.runtime.settings import EngineSettings

Result = TypeVar("Result")
UNREACHABLE = (ConnectionFailure, RedisError, OSError)
"""What is raised when a server cannot be reached; to try again later makes sense for these alone."""

SWITCH = 0.0005
"""Seconds after which a thread has to let others run: hints are sent and taken by threads, and somebody waits."""

FIRST_DELAY, LAST_DELAY = 0.02, 1.0

logger = logging.getLogger(__name__)


def run_service(name: str, main: Callable[[Config, asyncio.Event], Awaitable[None]]) -> None:
    """Run a service until SIGTERM or SIGINT; a wrong configuration ends it with one line and exit code 2.

    Without a file the defaults hold: the environment may say all that there is to say.
    """
    sys.setswitchinterval(SWITCH)
    config = Config()
    try:
        config.load_from_file(strict=False)
        EngineSettings.from_config(config)
        configure(config.logging)
    except (LightflowException, ValueError) as error:
        _refuse(name, error)
    for noisy in ("celery", "kombu", "pymongo"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    for said in variables.unknown(os.environ):
        logger.warning("%s", said)
    health.forget(os.environ)
    try:
        asyncio.run(_until_told(config, main))
    except ConfigFieldError as error:  # what shows only when it is used: a key file, a password
        _refuse(name, error)


def _refuse(name: str, error: Exception) -> NoReturn:
    sys.stderr.write(f"{name}: {error}\n")
    sys.exit(2)


async def _until_told(config: Config, main: Callable[[Config, asyncio.Event], Awaitable[None]]) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await main(config, stop)


def notify_ready() -> None:
    """Tell whoever started this process, by the descriptor it named in the environment, that it serves."""
    descriptor = os.environ.pop("LIGHTFLOW_READY_FD", None)
    if descriptor is not None:
        os.write(int(descriptor), b"1")
        os.close(int(descriptor))


async def serve_until(
    stop: asyncio.Event, *work: Coroutine[Any, Any, None], finish: Callable[[], Awaitable[None]] | None = None
) -> None:
    """Do this work until `stop` is set, then `finish` beside it.

    Work that ends by an error ends the process: its supervisor starts it anew.
    """
    tasks = [asyncio.create_task(coroutine) for coroutine in work]
    stopped = asyncio.create_task(stop.wait())
    try:
        done, _ = await asyncio.wait([stopped, *tasks], return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
        if finish is not None:
            await finish()
    finally:
        await end_tasks([stopped, *tasks])


async def when_reachable(what: str, attempt: Callable[[], Awaitable[Result]]) -> Result:
    """The result of the first attempt that reaches its server; says once a minute what it waits for."""
    delay, waited = FIRST_DELAY, 0.0
    while True:
        try:
            return await attempt()
        except UNREACHABLE as error:
            if waited == 0.0 or waited >= 60.0:
                logger.warning("waiting for %s: %s", what, str(error).splitlines()[0])
                waited = 0.0
            await asyncio.sleep(delay)
            waited, delay = waited + delay, min(delay * 2, LAST_DELAY)
