"""`lightflowctl run`."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from lightflow.cli.session import Session, pass_session, session_options
from lightflow.cli.starting import Start, start_options

if TYPE_CHECKING:
    from lightflow.runtime.rpc.client import ControlClient


@click.command("run")
@start_options
@session_options
@pass_session
def command(session: Session, workflow: str, arguments: tuple[str, ...], queue: str, keep_data: bool) -> None:
    """Run a workflow and watch it until it ends.

    Uses the running system; where there is none, one is brought up for this run alone. Ctrl-C asks the run to
    stop, a second Ctrl-C kills what still runs after 10 s. Exit code 0 only when the run succeeded.

    \b
    lightflowctl run simple
    lightflowctl run flows/report.py days=3 'title=All of May'
    """
    from lightflow.cli.follow import follow_to_end

    asked = Start.of(workflow, arguments, queue, keep_data)
    with some_system(session) as client:
        run = asked.send(client, session.libraries)
        if not session.json:
            click.echo(f"Run {run.run_id} of {run.workflow} started.")
        follow_to_end(client, run.run_id, session)


@contextmanager
def some_system(session: Session) -> Iterator["ControlClient"]:
    """The system that can be reached, or one that lives as long as the block; one that was named must be there."""
    from lightflow.core.errors import NoControlService

    try:
        client = session.connect()
    except NoControlService:
        from lightflow.local.stack import Stack
        from lightflow.runtime.rpc.client import ControlClient

        click.echo("No system is running: one is brought up for this run (`lightflowctl up` keeps one).", err=True)
        with Stack.temporary() as stack, ControlClient(stack.target) as client:
            yield client
        return
    with client:
        yield client
