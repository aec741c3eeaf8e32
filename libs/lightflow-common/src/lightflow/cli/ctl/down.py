"""`lightflowctl down`."""

import click

from lightflow.cli.session import Session, pass_session, session_options


@click.command("down")
@click.option("--now", is_flag=True, help="Do not wait for running tasks; they run again after the next `up`.")
@session_options
@pass_session
def command(session: Session, now: bool) -> None:
    """Stop the system of the data dir, and wait until nothing of it is left.

    What it stored stays: runs that had not ended go on after the next `up`.
    """
    from lightflow.local.stack import find, stop

    info = find(session.data_dir)
    if info is None:
        click.echo(f"No system is running in {session.data_dir.resolve()}.", err=True)
        return
    stop(session.data_dir, now=now)
    click.echo(f"The system in {info.data_dir} is down.", err=True)
