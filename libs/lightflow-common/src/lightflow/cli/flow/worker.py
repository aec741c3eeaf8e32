"""`lightflow worker`: start, stop and see workers."""

import click

from lightflow.cli import completing
from lightflow.cli.asking import confirm, yes_option
from lightflow.cli.session import Session, pass_session


@click.group("worker")
def command() -> None:
    """Start, stop and see workers."""


@command.command("start", context_settings={"ignore_unknown_options": True})
@click.option(
    "-q", "--queues", default="workflow,dag,task", show_default=True, metavar="QUEUES", help="Queues to serve: a,b,c."
)
@click.option("-n", "--name", metavar="NAME", help="Name of the worker  [default: worker, worker-2, ...].")
@click.argument("celery_args", metavar="[CELERY_ARGS]...", nargs=-1, type=click.UNPROCESSED)
@pass_session
def start(session: Session, queues: str, name: str | None, celery_args: tuple[str, ...]) -> None:
    """Start a worker, which runs until Ctrl-C and shows what its tasks print.

    With its default queues one worker is a whole system. Of Celery's arguments it takes -c/--concurrency (tasks at
    once), --autoscale, -l/--loglevel, --max-tasks-per-child and -n.

    \b
    lightflow worker start
    lightflow worker start -q workflow,dag
    lightflow worker start -q task,gpu -c 4 --loglevel=warning
    """
    from lightflow.runtime.worker.start import serve

    served = split(queues)
    if not served:
        raise click.UsageError("-q needs the name of a queue at least")

    def ready(worker: str) -> None:
        click.echo(f"Worker {worker} serves {', '.join(served)}. Ctrl-C stops it.", err=True)

    def stopping() -> None:
        click.echo("Stopping; running tasks get their grace, a second Ctrl-C cuts it short.", err=True)

    serve(served, session.configuration(), name=name, celery_args=celery_args, on_ready=ready, on_stop=stopping)
    click.echo("Stopped.", err=True)


@command.command("stop")
@click.argument("ids", metavar="[NAME|ID]...", nargs=-1, shell_complete=completing.workers)
@yes_option
@pass_session
def stop(session: Session, ids: tuple[str, ...], yes: bool) -> None:
    """Ask workers to stop, all where none is named; running tasks get their grace, then go back to the queue.

    Asks before it stops all.
    """
    from lightflow.workers import stop_worker

    config = session.configuration()
    if not ids:
        confirm("Stop all workers?", yes)
    stopped = stop_worker(config, worker_ids=ids or None)
    for worker in stopped:
        click.echo(f"Worker {worker.name} is stopping.")
    if not stopped:
        click.echo("No living workers.")


@command.command("status")
@click.option("-f", "--filter-queues", default="", metavar="QUEUES", help="Only workers of these queues: a,b,c.")
@click.option("-d", "--details", is_flag=True, help="Show processes, broker and each queue.")
@pass_session
def status(session: Session, filter_queues: str, details: bool) -> None:
    """Show the living workers."""
    from lightflow.cli.render.workers import worker_details, workers_overview
    from lightflow.workers import list_workers

    queues = split(filter_queues)
    workers = list_workers(session.configuration(), filter_by_queues=queues)
    if details and workers:
        click.echo("\n\n".join(map(worker_details, workers)))
    else:
        click.echo(workers_overview(workers, queues))


def split(queues: str) -> list[str]:
    """The names in `a,b,c`."""
    return list(dict.fromkeys(name for part in queues.split(",") if (name := part.strip())))
