"""Puts a dag-runner together and runs it until it is told to stop."""

import asyncio

from lightflow.config import Config
from lightflow.core.states import Service
from lightflow.runtime.broker import broker_url
from lightflow.runtime.connections import connected
from lightflow.runtime.looking import LookingService
from lightflow.runtime.membership import Member
from lightflow_dag_runner import jobs
from lightflow_dag_runner.knowledge import Knowledge
from lightflow_dag_runner.loop import DagRunner
from lightflow_dag_runner.settings import Settings
from lightflow_dag_runner.store import Store
from lightflow_dag_runner.sweep import DagSweep


async def serve(config: Config, stop: asyncio.Event) -> None:
    """Serve until `stop` is set."""
    settings = Settings.from_config(config)
    async with connected(config, settings.engine, settings.name) as with_:
        store = Store(with_.db, settings.name, with_.turns)
        runner = DagRunner(store, with_.specs, Knowledge(), with_.hints, with_.notifier)
        member = Member(Service.DAG_RUNNER, settings.name, settings.queues, broker_url(config))
        service = LookingService(
            with_,
            settings.engine,
            member,
            runner.look,
            DagSweep(with_.hints, with_.queues, settings.queues),
            lambda look_at: jobs.consumer(config, settings, look_at),
        )
        async with service.member():
            await service.serve(stop)
