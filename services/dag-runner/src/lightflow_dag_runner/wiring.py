"""Puts a dag-runner together and runs it until it is told to stop."""

import asyncio
from pathlib import Path

from lightflow.config import Config
from lightflow.core.leases import LeaseWatch
from lightflow.core.states import Service
from lightflow.runtime.broker import broker_url, make_app
from lightflow.runtime.consumer_watch import ConsumerWatch
from lightflow.runtime.hints import Hints
from lightflow.runtime.looks import Looks
from lightflow.runtime.membership import Member, Membership
from lightflow.runtime.mongo import connect, create_indexes, database
from lightflow.runtime.notify import Notifier, connect_redis
from lightflow.runtime.payloads import Payloads
from lightflow.runtime.process import notify_ready, serve_until, when_reachable
from lightflow.runtime.queues import Queues
from lightflow.runtime.signing import signer_for
from lightflow.runtime.specs import Specs
from lightflow.runtime.sweep import Sweep
from lightflow.runtime.takeback import TakeBack
from lightflow_dag_runner import jobs
from lightflow_dag_runner.knowledge import Knowledge
from lightflow_dag_runner.loop import DagRunner
from lightflow_dag_runner.settings import Settings
from lightflow_dag_runner.store import Store
from lightflow_dag_runner.sweep import DagSweep


async def serve(config: Config, stop: asyncio.Event) -> None:
    """Serve until `stop` is set."""
    settings = Settings.from_config(config)
    engine = settings.engine
    client = connect(config, settings.name)
    db = database(client, config)
    await when_reachable("MongoDB", lambda: create_indexes(db))
    key_file = Path(engine.signing_key_file) if engine.signing_key_file else None
    specs = Specs(db, Payloads(db, await signer_for(key_file, db)))
    redis = connect_redis(config)
    notifier, queues = Notifier(redis), Queues(connect_redis(config))
    hints = Hints(make_app(config, settings.name), engine.hint_bound)
    runner = DagRunner(Store(db), specs, Knowledge(), hints, notifier)

    def keep_gate(held: int) -> None:
        (consumer.open if held < settings.looks_held else consumer.shut)()

    looks = Looks(runner.look, settings.looks_at_once, keep_gate)
    consumer = jobs.consumer(config, settings, looks.add)
    member = Member(Service.DAG_RUNNER, settings.name, settings.queues, broker_url(config))
    membership = Membership(db, member, max(engine.lease_interval, engine.sweep_interval))
    sweep = Sweep(
        db,
        queues,
        DagSweep(hints, queues),
        LeaseWatch(engine.lease_timeout, gap=3 * engine.sweep_interval),
        TakeBack(db, specs, hints, engine.bounds),
        ConsumerWatch(consumer, Service.DAG_RUNNER, settings.queues, queues),
        engine.sweep_interval,
    )
    await when_reachable("MongoDB", membership.enter)
    await notifier.start()
    consumer.start()
    consumer.open()
    notify_ready()
    await serve_until(stop, sweep.run(), membership.keep(), membership.until_told(notifier))
    consumer.stop()
    await looks.close()
    hints.close()
    await membership.leave()
    await notifier.close()
    await client.close()
