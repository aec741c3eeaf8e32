"""Puts a task worker together and runs it until it is told to stop."""

import asyncio
import hashlib
import os
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path

from lightflow.config import Config
from lightflow.core.states import Service
from lightflow.runtime.broker import broker_url, make_app
from lightflow.runtime.consumer_watch import ConsumerWatch
from lightflow.runtime.datastore.mongo import RunStore
from lightflow.runtime.hints import Hints
from lightflow.runtime.membership import Member, Membership
from lightflow.runtime.mongo import connect, create_indexes, database, store_uri
from lightflow.runtime.notify import Notifier, connect_redis
from lightflow.runtime.payloads import Payloads
from lightflow.runtime.process import notify_ready, serve_until, when_reachable
from lightflow.runtime.queues import Queues
from lightflow.runtime.rpc.async_client import AsyncControlClient
from lightflow.runtime.rpc.targets import registered_targets
from lightflow.runtime.signing import signer_for
from lightflow.runtime.specs import Specs
from lightflow.runtime.takeback import TakeBack
from lightflow_task_worker import jobs
from lightflow_task_worker.attempt import Tools
from lightflow_task_worker.calls import Calling
from lightflow_task_worker.echo import Terminal
from lightflow_task_worker.inputs import Inputs
from lightflow_task_worker.lease import Lease
from lightflow_task_worker.leftovers import marker
from lightflow_task_worker.loading import Loader, LoadSettings
from lightflow_task_worker.loop import TaskWorker
from lightflow_task_worker.pool import Pool
from lightflow_task_worker.settings import Settings
from lightflow_task_worker.slot import ChildSettings, Slots
from lightflow_task_worker.store import Store
from lightflow_task_worker.succession import succeed
from lightflow_task_worker.versions import Versions
from lightflow_task_worker.waiting import Waiting


async def serve(config: Config, stop: asyncio.Event) -> None:
    """Serve until `stop` is set; then running attempts have their grace, and what is left goes back uncounted."""
    settings = Settings.from_config(config)
    engine = settings.engine
    async with AsyncExitStack() as closing:
        client = connect(config, settings.name)
        closing.push_async_callback(client.close)
        db = database(client, config)
        await when_reachable("MongoDB", lambda: create_indexes(db))
        key_file = Path(engine.signing_key_file) if engine.signing_key_file else None
        payloads = Payloads(db, await signer_for(key_file, db))
        specs, data = Specs(db, payloads), RunStore(db, payloads)
        notifier = Notifier(connect_redis(config))
        closing.push_async_callback(notifier.close)
        hints = Hints(make_app(config, settings.name), engine.hint_bound)
        closing.callback(hints.close)
        control = AsyncControlClient(lambda: registered_targets(db), patience=engine.self_fence)
        closing.push_async_callback(control.close)

        member = Member(Service.TASK_WORKER, settings.name, settings.queues, broker_url(config), engine.slots)
        membership = Membership(db, member, engine.lease_interval)
        identity = f"{settings.name}:{hashlib.sha256(store_uri(config).encode()).hexdigest()[:12]}"
        take_back = TakeBack(db, specs, hints, engine.bounds)
        await succeed(db, member, identity, take_back)

        mark = marker(identity, member.incarnation)
        slots = Slots(ChildSettings(mark, max_attempts=settings.attempts_per_child))
        waiting = Waiting(engine.slots, engine.join_cap)
        store = Store(db, member)
        pool = Pool(slots, engine.slots, lambda: worker.changed())
        closing.push_async_callback(pool.close)
        terminal = Terminal() if settings.echo else None
        if terminal is not None:
            closing.callback(terminal.close)
        calling = Calling(data, control, pool, waiting, lambda: lease.is_good)
        cache = _cache_folder(settings, identity)
        versions = Versions(db, payloads, cache)
        tools = Tools(
            db, settings, store, versions, payloads, Inputs(payloads), pool, hints, notifier, calling, terminal
        )
        worker = TaskWorker(tools, waiting, settings.queues)
        lease = Lease(membership, store, settings, take_back, tools.held, pool.process_pids)
        consumer = worker.consumer = jobs.consumer(config, settings, worker.hinted)
        loading = LoadSettings(settings.workflows, settings.libraries, engine.load_timeout, cache, member.incarnation)
        loader = Loader(db, payloads, notifier, slots, loading)

        await when_reachable("MongoDB", membership.enter)
        closing.push_async_callback(membership.leave)
        await notifier.start()
        await pool.warm()
        consumer.start()
        notify_ready()
        watch = ConsumerWatch(consumer, Service.TASK_WORKER, settings.queues, Queues(connect_redis(config)))
        work = (
            worker.feed(),
            lease.keep(),
            loader.serve(),
            _pass_on_stops(notifier, lease),
            watch.keep(engine.sweep_interval),
            membership.until_told(notifier),
        )
        await serve_until(stop, *work, finish=lambda: worker.drain(engine.shutdown_grace))
        consumer.stop()


async def _pass_on_stops(notifier: Notifier, lease: Lease) -> None:
    async with notifier.subscribe("stop") as looks:
        while True:
            await looks.wait()
            await lease.look()


def _cache_folder(settings: Settings, identity: str) -> Path:
    if settings.engine.cache_dir:
        return Path(settings.engine.cache_dir)
    name = hashlib.sha256(identity.encode()).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"lightflow-{os.getuid()}" / name
