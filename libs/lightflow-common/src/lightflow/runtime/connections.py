"""What every service is connected to: MongoDB, redis and the broker, with what stands on them."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from lightflow.config import Config
from lightflow.runtime import failpoints, logs, payloads
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


@contextlib.asynccontextmanager
async def connected(
    config: Config, engine: EngineSettings, name: str, *indexes: Indexes, watches: bool = False
) -> AsyncIterator[Connections]:
    """Connect, waiting for MongoDB, with all indexes in place; at the end nothing that was to be sent is left.

    Only who `watches` is told of progress.
    """
    async with contextlib.AsyncExitStack() as closing:
        client = connect(config, name)
        closing.push_async_callback(client.close)
        sender = Hints(make_app(config, name), engine.hint_bound)
        closing.callback(sender.close)
        db, hints = failpoints.around(database(client, config), sender)
        declared = (payloads.indexes(), queries.indexes(), logs.indexes(), *indexes)
        await when_reachable("MongoDB", lambda: create_indexes(db, *declared))
        key_file = Path(engine.signing_key_file) if engine.signing_key_file else None
        saved = Payloads(db, await signer_for(key_file, db))
        asking = connect_redis(config)
        closing.push_async_callback(asking.aclose)
        notifier = Notifier(connect_redis(config), watches=watches)
        await notifier.start()
        closing.push_async_callback(notifier.close)
        yield Connections(db, saved, Specs(db, saved), RunStore(db, saved), notifier, Queues(asking), hints)
