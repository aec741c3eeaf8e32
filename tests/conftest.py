"""What tests against the real servers share: one redis and one mongod per test process, a database per test."""

import secrets
import signal
from collections.abc import Iterator

import pytest

from lightflow.local.stack import Servers

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell that starts the suite in the background has it ignore Ctrl-C, and what the suite starts would do so, too.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    """A real redis and a real mongod, started once per test process; a test that kills one starts it again."""
    with Servers.temporary() as running:
        yield running


@pytest.fixture
def mongo_uri(servers: Servers) -> str:
    """Where the mongod is."""
    return servers.mongo_uri


@pytest.fixture
def redis_url(servers: Servers) -> str:
    """Where the redis is, as redis-py understands it."""
    return servers.redis_url


@pytest.fixture
def broker_url(servers: Servers) -> str:
    """Where the redis is, as Celery understands it."""
    return servers.broker_url


@pytest.fixture
def database_name() -> str:
    """A database that no other test uses."""
    return f"lightflow-{secrets.token_hex(6)}"
