"""`lightflowctl workers`."""

from datetime import UTC, datetime

import click

from lightflow.cli.session import Session, pass_session, session_options


@click.command("workers")
@click.option("-q", "--queue", "queues", multiple=True, metavar="NAME", help="Only workers of this queue.")
@session_options
@pass_session
def command(session: Session, queues: tuple[str, ...]) -> None:
    """List the living workers of all three services, with the queues they serve and the attempts they hold."""
    from lightflow.cli.render.documents import worker_document
    from lightflow.cli.render.events import workers_table
    from lightflow.cli.result import write_json

    with session.connect() as client:
        workers = list(client.list_workers(queues=queues))
    if session.json:
        write_json([worker_document(worker) for worker in workers])
    else:
        click.echo(workers_table(workers, datetime.now(UTC)))
