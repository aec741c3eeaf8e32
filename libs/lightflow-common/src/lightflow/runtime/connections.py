"""What every service is connected to: MongoDB, redis and the broker, with what stands on them."""

import contextlib
import logging
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

from pymongo.errors import ConfigurationError, OperationFailure
from redis.asyncio import Redis
from redis.exceptions import AuthenticationError, RedisError

from lightflow.config import Config
from lightflow.core.errors import ConfigFieldError
from lightflow.core.secrecy import masked
from lightflow.runtime import failpoints, logs, payloads
from lightflow.runtime.batches import Turns
from lightflow.runtime.broker import make_app
from lightflow.runtime.datastore import queries
from lightflow.runtime.datastore.mongo import RunStore
from lightflow.runtime.hints import Hints
from lightflow.runtime.mongo import Database, Indexes, connect, create_indexes, database
from lightflow.runtime.notify import Notifier, connect_redis
from lightflow.runtime.payloads import Payloads
from lightflow.runtime.process import when_reachable
from lightflow.runtime.queues import Queues
from lightflow.runtime.settings import EngineSettings
from lightflow.runtime.signing import signer_for
from lightflow.runtime.specs import Specs

_REFUSED = frozenset({13, 18})
"""MongoDB's codes for who may not do this, and for who is not known."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Connections:
    """The adapters of one process."""

    db: Database
    payloads: Payloads
    specs: Specs
    data: RunStore
    notifier: Notifier
    queues: Queues
    hints: Hints
    turns: Turns


@contextlib.asynccontextmanager
async def connected(
    config: Config, engine: EngineSettings, name: str, *indexes: Indexes, watches: bool = False
) -> AsyncIterator[Connections]:
    """Connect, waiting for MongoDB, with all indexes in place; at the end nothing that was to be sent is left.

    Only who `watches` is told of progress.
    """
    async with contextlib.AsyncExitStack() as closing:
        with _settings_at_fault():
            client = connect(config, name)
        closing.push_async_callback(client.close)
        sender = Hints(make_app(config, name), engine.hint_bound)
        closing.callback(sender.close)
        db, hints = failpoints.around(database(client, config), sender)
        declared = (payloads.indexes(), queries.indexes(), logs.indexes(), *indexes)
        with _settings_at_fault():
            await when_reachable("MongoDB", lambda: create_indexes(db, *declared))
        key_file = Path(engine.signing_key_file) if engine.signing_key_file else None
        saved = Payloads(db, await signer_for(key_file, db))
        asking = connect_redis(config)
        closing.push_async_callback(asking.aclose)
        await _check_password(asking)
        notifier = Notifier(connect_redis(config), watches=watches)
        await notifier.start()
        closing.push_async_callback(notifier.close)
        turns = Turns()
        data = RunStore(db, saved, turns)
        yield Connections(db, saved, Specs(db, saved), data, notifier, Queues(asking), hints, turns)


@contextlib.contextmanager
def _settings_at_fault() -> Iterator[None]:
    """Where MongoDB refuses what it is told, not to answer at all: an error that names the settings."""
    try:
        yield
    except ConfigurationError as error:
        raise ConfigFieldError(f"The address of MongoDB in `store` cannot be used: {masked(str(error))}") from None
    except OperationFailure as error:
        if error.code not in _REFUSED:
            raise
        refused = "username, password or auth_source of `store` (or its uri)"
        raise ConfigFieldError(f"MongoDB refuses {refused}: {error.details and error.details.get('errmsg')}") from None


async def _check_password(redis: Redis) -> None:
    """Raise ConfigFieldError for a password that redis refuses; a redis that is away is waited for where it is used."""
    try:
        await redis.ping()
    except AuthenticationError as error:
        raise ConfigFieldError(f"redis refuses the password of `signal` (or its uri): {error}") from None
    except RedisError as error:
        logger.warning("redis does not answer yet: %s", error)
