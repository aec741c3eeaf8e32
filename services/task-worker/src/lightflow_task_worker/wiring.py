"""Puts a task worker together and runs it until it is told to stop."""

import asyncio
import hashlib
import logging
import os
import tempfile
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from lightflow.config import Config
from lightflow.core.states import Service
from lightflow.runtime.broker import broker_url
from lightflow.runtime.connections import Connections, connected
from lightflow.runtime.consumer import HintConsumer
from lightflow.runtime.consumer_watch import ConsumerWatch
from lightflow.runtime.membership import Member, Membership
from lightflow.runtime.mongo import store_uri
from lightflow.runtime.notify import Notifier
from lightflow.runtime.process import UNREACHABLE, notify_ready, serve_until, when_reachable
from lightflow.runtime.pulse import Pulse
from lightflow.runtime.rpc.async_client import AsyncControlClient
from lightflow.runtime.rpc.targets import registered_targets
from lightflow.runtime.takeback import TakeBack
from lightflow_task_worker import jobs
from lightflow_task_worker.attempt import Tools
from lightflow_task_worker.calls import Calling
from lightflow_task_worker.echo import Terminal
from lightflow_task_worker.facts import Facts
from lightflow_task_worker.inputs import Inputs
from lightflow_task_worker.knowledge import Knowledge
from lightflow_task_worker.lease import Lease
from lightflow_task_worker.leftovers import marker
from lightflow_task_worker.loading import Loader, LoadSettings
from lightflow_task_worker.loop import TaskWorker
from lightflow_task_worker.pool import Pool
from lightflow_task_worker.preparing import Preparing
from lightflow_task_worker.settings import Settings
from lightflow_task_worker.slot import ChildSettings, Slots
from lightflow_task_worker.store import Store
from lightflow_task_worker.succession import succeed
from lightflow_task_worker.versions import Versions
from lightflow_task_worker.waiting import Waiting

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Parts:
    """A task worker's parts."""

    worker: TaskWorker
    lease: Lease
    loader: Loader
    consumer: HintConsumer
    watch: ConsumerWatch
    membership: Membership


async def serve(config: Config, stop: asyncio.Event) -> None:
    """Serve until `stop` is set; then running attempts have their grace, and what is left goes back uncounted."""
    settings = Settings.from_config(config)
    engine = settings.engine
    async with connected(config, engine, settings.name) as with_, AsyncExitStack() as closing:
        parts = await _assemble(config, settings, with_, closing)
        await when_reachable("MongoDB", parts.membership.enter)
        closing.push_async_callback(parts.membership.leave)
        await parts.worker.tools.pool.warm()
        parts.consumer.start()
        notify_ready()
        work = (
            parts.worker.feed(),
            parts.lease.keep(),
            parts.loader.serve(),
            pass_on_stops(with_.notifier, parts.lease, parts.worker.tools.knowledge),
            parts.watch.keep(engine.sweep_interval),
            Pulse(parts.watch, parts.membership.since_renewal, engine.sweep_interval).keep(),
            parts.membership.until_told(with_.notifier),
        )
        await serve_until(stop, *work, finish=lambda: _drain(parts, engine.shutdown_grace))
        parts.consumer.stop()


async def _drain(parts: Parts, grace: float) -> None:
    await asyncio.gather(parts.worker.drain(grace), parts.membership.tell_draining())


async def _assemble(config: Config, settings: Settings, with_: Connections, closing: AsyncExitStack) -> Parts:
    engine, db = settings.engine, with_.db
    member = Member(Service.TASK_WORKER, settings.name, settings.queues, broker_url(config), engine.slots)
    membership = Membership(db, member, engine.lease_interval)
    identity = f"{settings.name}:{hashlib.sha256(store_uri(config).encode()).hexdigest()[:12]}"
    take_back = TakeBack(db, with_.specs, with_.hints, engine.bounds)
    await succeed(db, member, identity, take_back)

    # The marker stays when the worker has to enter anew: it is in the environment of processes that exist.
    member.marker = marker(identity, member.incarnation)
    slots = Slots(ChildSettings(member.marker, max_attempts=settings.attempts_per_child))
    tools = _tools(settings, with_, member, slots, closing, identity, lambda: lease.is_good, lambda: worker.changed())
    worker = TaskWorker(tools, tools.calling.waiting, settings.queues)
    lease = Lease(membership, tools, take_back)
    consumer = worker.consumer = jobs.consumer(config, settings, worker.hinted)
    watch = ConsumerWatch(consumer, Service.TASK_WORKER, settings.queues, with_.queues)
    cache = _cache_folder(settings, identity)
    loading = LoadSettings(
        settings.workflows, settings.libraries, engine.load_timeout, cache, lambda: member.incarnation
    )
    loader = Loader(db, with_.payloads, with_.notifier, slots, loading)
    return Parts(worker, lease, loader, consumer, watch, membership)


def _tools(
    settings: Settings,
    with_: Connections,
    member: Member,
    slots: Slots,
    closing: AsyncExitStack,
    identity: str,
    holds: Callable[[], bool],
    on_change: Callable[[], None],
) -> Tools:
    engine, db = settings.engine, with_.db
    control = AsyncControlClient(lambda: registered_targets(db), patience=engine.self_fence)
    closing.push_async_callback(control.close)
    pool = Pool(slots, engine.slots, on_change)
    closing.push_async_callback(pool.close)
    terminal = Terminal() if settings.echo else None
    if terminal is not None:
        closing.callback(terminal.close)
    return Tools(
        db,
        settings,
        Store(db, member, with_.turns),
        Knowledge(Facts(db, with_.turns), lambda: with_.notifier.hears),
        Versions(db, with_.payloads, _cache_folder(settings, identity)),
        with_.payloads,
        Preparing(Inputs(with_.payloads), with_.payloads, settings.name),
        pool,
        with_.hints,
        with_.notifier,
        Calling(with_.data, control, pool, Waiting(engine.slots, engine.join_cap), holds),
        terminal,
    )


async def pass_on_stops(notifier: Notifier, lease: Lease, knowledge: Knowledge) -> None:
    """Read the stop facts whenever somebody says that there are new ones, for ever."""
    async with notifier.subscribe("stop") as looks:
        while True:
            await looks.wait()
            knowledge.forget()
            try:
                await lease.look()
            except UNREACHABLE as error:
                logger.warning("stop facts were not read, the next renewal will: %s", str(error).splitlines()[0])


def _cache_folder(settings: Settings, identity: str) -> Path:
    """Where archives are extracted: code that this worker runs, so that nobody else may write there."""
    if settings.engine.cache_dir:
        return Path(settings.engine.cache_dir)
    caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = caches / "lightflow" / hashlib.sha256(identity.encode()).hexdigest()[:12]
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return folder
    except OSError:  # a home that does not exist or cannot be written, as in a container
        return Path(tempfile.mkdtemp(prefix="lightflow-"))
