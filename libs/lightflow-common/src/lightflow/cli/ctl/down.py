"""`lightflowctl down`."""

import click

from lightflow.cli.completing import LIVE
from lightflow.cli.session import Session, pass_session, session_options


@click.command("down")
@click.option("--now", is_flag=True, help="Do not wait for running tasks; they run again after the next `up`.")
@session_options
@pass_session
def command(session: Session, now: bool) -> None:
    """Stop the system of the data dir, and wait until nothing of it is left.

    What it stored stays: runs that had not ended go on after the next `up`.
    """
    from lightflow.cli.render.stack import typed
    from lightflow.local.stack import find, stop

    info = find(session.data_dir)
    if info is None:
        click.echo(f"No system is running in {session.data_dir.resolve()}.", err=True)
        return
    runs = _going_on(info.target)
    stop(session.data_dir, now=now)
    click.echo(f"The system in {info.data_dir} is down.", err=True)
    if runs:
        what = f"{runs} runs were" if runs > 1 else "1 run was"
        click.echo(f"{what} going on; what had not ended goes on after the next `{typed(info)} up`.", err=True)


def _going_on(target: str) -> int:
    """How many runs have not ended; 0 where nobody can say, which must not keep the system from being stopped."""
    from lightflow.core.errors import LightflowException
    from lightflow.runtime.rpc.client import ControlClient

    try:
        with ControlClient(target, timeout=2.0) as client:
            return sum(1 for _ in client.list_runs(states=LIVE))
    except LightflowException:
        return 0
