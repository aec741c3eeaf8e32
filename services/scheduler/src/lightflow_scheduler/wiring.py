"""Puts a scheduler together, the control service in it, and runs it until it is told to stop."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

from lightflow.config import Config
from lightflow.core.states import Service
from lightflow.runtime.broker import broker_url
from lightflow.runtime.connections import Connections, connected
from lightflow.runtime.looking import LookingService
from lightflow.runtime.membership import Member
from lightflow.runtime.rpc.server import start_server
from lightflow_scheduler import jobs, registry, servicer
from lightflow_scheduler.advertising import advertised
from lightflow_scheduler.collaborators import Collaborators
from lightflow_scheduler.loop import Scheduler
from lightflow_scheduler.retention import retention_of
from lightflow_scheduler.settings import Settings
from lightflow_scheduler.store import Store
from lightflow_scheduler.sweep import RunSweep


async def serve(config: Config, stop: asyncio.Event) -> None:
    """Serve until `stop` is set."""
    settings = Settings.from_config(config)
    async with connected(config, settings.engine, settings.name, servicer.indexes(), watches=True) as with_:
        store = Store(with_.db, settings.name, with_.turns)
        scheduler = Scheduler(store, with_.specs, with_.data, with_.payloads, with_.hints, with_.notifier)
        member = Member(Service.SCHEDULER, settings.name, settings.queues, broker_url(config))
        service = LookingService(
            with_,
            settings.engine,
            member,
            scheduler.look,
            RunSweep(with_.hints, with_.queues, settings.queues),
            lambda look_at: jobs.consumer(config, settings, look_at),
        )
        collaborators = _collaborators(with_, settings, service, scheduler)
        async with service.member(), _control(collaborators, settings, member) as register:
            await service.serve(stop, retention_of(collaborators).keep(), reentered=register)


def _collaborators(
    with_: Connections, settings: Settings, service: LookingService, scheduler: Scheduler
) -> Collaborators:
    return Collaborators(
        db=with_.db,
        notifier=with_.notifier,
        payloads=with_.payloads,
        store=with_.data,
        hints=with_.hints,
        turns=with_.turns,
        look=service.look_at,
        alive=service.is_alive,
        know=scheduler.know,
        load_timeout=settings.engine.load_timeout,
        stop_grace=settings.engine.stop_grace,
        queues=settings.queues,
        retention_days=settings.engine.retention_days,
    )


@contextlib.asynccontextmanager
async def _control(
    collaborators: Collaborators, settings: Settings, member: Member
) -> AsyncIterator[Callable[[], Awaitable[None]]]:
    """The control service: it answers, and MongoDB tells where; gives what enters it there again."""
    control = servicer.ControlServicer(collaborators)
    server = await start_server(control, settings.addresses, translate=servicer.translate)

    async def register() -> None:
        addresses = await advertised(server.addresses, settings.advertise, collaborators.db)
        await registry.register(collaborators.db, addresses, member.incarnation)

    try:
        await register()
        yield register
    finally:
        await server.stop()
        await registry.unregister(collaborators.db, member.incarnation)
