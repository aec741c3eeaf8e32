"""`lightflowctl ps`."""

import click

from lightflow.cli.session import Session, pass_session, session_options


@click.command("ps")
@session_options
@pass_session
def command(session: Session) -> None:
    """List the processes of the system of the data dir, redis and mongod included."""
    from lightflow.cli.render.stack import process_document, processes_table
    from lightflow.cli.result import write_json
    from lightflow.local.stack import find
    from lightflow.local.stack.errors import StackNotRunning

    info = find(session.data_dir)
    if info is None:
        raise StackNotRunning(str(session.data_dir.resolve()))
    if session.json:
        write_json([process_document(process) for process in info.processes])
    else:
        click.echo(processes_table(info.processes))
