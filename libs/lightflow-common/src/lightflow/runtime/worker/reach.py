"""Whether redis and MongoDB are there before services are started that would wait for them."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from lightflow.core.errors import ServiceUnavailable
from lightflow.core.secrecy import masked
from lightflow.runtime.mongo import Document, reason, store_uri
from lightflow.runtime.notify import signal_url

if TYPE_CHECKING:
    from lightflow.config import Config

PATIENCE = 3.0
"""Seconds for a server to answer."""


def check_servers(config: "Config", *, store: bool = True) -> None:
    """Raise ServiceUnavailable, which names the address and what to do, for the first server that does not answer."""
    where = config.filename or "the configuration"
    broker = str(config.celery.get("broker_url") or signal_url(config))
    for url, setting in {signal_url(config): "the section signal", broker: "celery.broker_url"}.items():
        _check(_ask_broker, url, "redis", f"{setting} of {where}")
    if store:
        _check(_ask_store, store_uri(config), "MongoDB", f"the section store of {where}")


def _check(ask: Callable[[str], None], url: str, server: str, setting: str) -> None:
    try:
        ask(url)
    except Exception as error:
        what = f"{server} at {masked(url)}"
        raise ServiceUnavailable(what, f"{reason(error)} (start it, or set where it is in {setting})") from None


def _ask_broker(url: str) -> None:
    plain = url.replace("redis+socket://", "unix://", 1).replace("virtual_host=", "db=", 1)
    if not plain.startswith(("redis://", "rediss://", "unix://")):
        from kombu.connection import Connection

        connection: Any = Connection
        with connection(url, connect_timeout=PATIENCE) as broker:
            broker.ensure_connection(max_retries=1, timeout=PATIENCE)
        return
    from redis import Redis

    with Redis.from_url(plain, socket_connect_timeout=PATIENCE, socket_timeout=PATIENCE) as redis:
        redis.ping()


def _ask_store(uri: str) -> None:
    from pymongo import MongoClient

    limit = int(PATIENCE * 1000)
    with MongoClient[Document](uri, serverSelectionTimeoutMS=limit, connectTimeoutMS=limit) as client:
        client.admin.command("ping")
