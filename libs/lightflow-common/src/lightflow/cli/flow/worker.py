"""`lightflow worker`: the workers of the running system."""

from datetime import UTC, datetime

import click

from lightflow.cli.session import Session, pass_session


@click.group("worker")
def command() -> None:
    """See the workers."""


@command.command("status")
@click.option("-f", "--filter-queues", default="", metavar="QUEUES", help="Only workers of these queues: a,b,c.")
@pass_session
def status(session: Session, filter_queues: str) -> None:
    """Show the living workers."""
    from lightflow.cli.render.events import workers_table

    queues = [name.strip() for name in filter_queues.split(",") if name.strip()]
    with session.connect() as client:
        click.echo(workers_table(list(client.list_workers(queues=queues)), datetime.now(UTC)))
