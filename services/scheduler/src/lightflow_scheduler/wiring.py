"""Puts a scheduler together, the control service in it, and runs it until it is told to stop."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from lightflow.config import Config
from lightflow.core.leases import LeaseWatch
from lightflow.core.states import Service
from lightflow.runtime.broker import broker_url, make_app
from lightflow.runtime.consumer_watch import ConsumerWatch
from lightflow.runtime.datastore.mongo import RunStore
from lightflow.runtime.datastore.queries import indexes as data_indexes
from lightflow.runtime.hints import Hints
from lightflow.runtime.logs import indexes as log_indexes
from lightflow.runtime.looks import Looks
from lightflow.runtime.membership import Member, Membership
from lightflow.runtime.mongo import connect, create_indexes, database
from lightflow.runtime.notify import Notifier, connect_redis
from lightflow.runtime.payloads import Payloads
from lightflow.runtime.payloads import indexes as payload_indexes
from lightflow.runtime.process import notify_ready, serve_until, when_reachable
from lightflow.runtime.queues import Queues
from lightflow.runtime.rpc.server import start_server
from lightflow.runtime.signing import signer_for
from lightflow.runtime.specs import Specs
from lightflow.runtime.sweep import Sweep
from lightflow.runtime.takeback import TakeBack
from lightflow_scheduler import jobs, registry
from lightflow_scheduler.collaborators import Collaborators
from lightflow_scheduler.loop import Scheduler
from lightflow_scheduler.servicer import ControlServicer, translate
from lightflow_scheduler.servicer import indexes as control_indexes
from lightflow_scheduler.settings import Settings
from lightflow_scheduler.store import Store
from lightflow_scheduler.sweep import RunSweep

MISSED_RENEWALS = 3
"""After how many renewals that a worker owes it is no longer shown as living."""


async def serve(config: Config, stop: asyncio.Event) -> None:
    """Serve until `stop` is set."""
    settings = Settings.from_config(config)
    engine = settings.engine
    async with AsyncExitStack() as closing:
        client = connect(config, settings.name)
        closing.push_async_callback(client.close)
        db = database(client, config)
        declared = (payload_indexes(), data_indexes(), log_indexes(), control_indexes())
        await when_reachable("MongoDB", lambda: create_indexes(db, *declared))
        key_file = Path(engine.signing_key_file) if engine.signing_key_file else None
        payloads = Payloads(db, await signer_for(key_file, db))
        specs, data = Specs(db, payloads), RunStore(db, payloads)
        notifier, queues = Notifier(connect_redis(config)), Queues(connect_redis(config))
        closing.push_async_callback(notifier.close)
        hints = Hints(make_app(config, settings.name), engine.hint_bound)
        closing.callback(hints.close)
        scheduler = Scheduler(Store(db), specs, data, payloads, hints, notifier)
        looks = Looks(scheduler.look, settings.looks_at_once, lambda held: keep_gate(held))
        closing.push_async_callback(looks.close)
        consumer = jobs.consumer(config, settings, looks.add)

        def keep_gate(held: int) -> None:
            (consumer.open if held < settings.looks_held else consumer.shut)()

        leases = LeaseWatch(engine.lease_timeout, gap=3 * engine.sweep_interval)
        sweep = Sweep(
            db,
            queues,
            RunSweep(hints, queues),
            leases,
            TakeBack(db, specs, hints, engine.bounds),
            ConsumerWatch(consumer, Service.SCHEDULER, settings.queues, queues),
            engine.sweep_interval,
        )
        member = Member(Service.SCHEDULER, settings.name, settings.queues, broker_url(config))
        membership = Membership(db, member, max(engine.lease_interval, engine.sweep_interval))
        silence = MISSED_RENEWALS * max(engine.lease_interval, engine.sweep_interval)

        def alive(worker: dict[str, Any]) -> bool:
            now = asyncio.get_running_loop().time()
            return "dead" not in worker and leases.silence(worker["_id"], now) < silence

        servicer = ControlServicer(
            Collaborators(
                db=db,
                notifier=notifier,
                payloads=payloads,
                store=data,
                hints=hints,
                look=lambda run_id: looks.add([run_id]),
                alive=alive,
                load_timeout=engine.load_timeout,
                stop_grace=engine.stop_grace,
            )
        )
        await notifier.start()
        await when_reachable("MongoDB", membership.enter)
        closing.push_async_callback(membership.leave)
        server = await start_server(servicer, settings.addresses, translate=translate)
        await registry.register(db, server.addresses, member.incarnation)
        closing.push_async_callback(registry.unregister, db, member.incarnation)
        closing.push_async_callback(server.stop)
        consumer.start()
        consumer.open()
        notify_ready()
        await serve_until(stop, sweep.run(), membership.keep(), membership.until_told(notifier))
        consumer.stop()
