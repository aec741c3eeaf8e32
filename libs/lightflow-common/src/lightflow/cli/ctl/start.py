"""`lightflowctl start`."""

import click

from lightflow.cli.session import Session, pass_session, session_options
from lightflow.cli.starting import Start, start_options


@click.command("start")
@start_options
@click.option("-w", "--wait", is_flag=True, help="Wait for the end; exit code 0 only when the run succeeded.")
@session_options
@pass_session
def command(
    session: Session, workflow: str, arguments: tuple[str, ...], queue: str, keep_data: bool, wait: bool
) -> None:
    """Start a workflow and print the id of the run.

    \b
    lightflowctl start simple
    lightflowctl start flows/report.py days=3 'title=All of May'
    """
    asked = Start.of(workflow, arguments, queue, keep_data)
    with session.connect() as client:
        run = asked.send(client, session.libraries)
        if wait:
            from lightflow.cli.follow import follow_to_end

            if not session.json:
                click.echo(run.run_id)
            follow_to_end(client, run.run_id, session, show=False)
        elif session.json:
            from lightflow.cli.render.documents import run_document
            from lightflow.cli.result import write_json

            write_json(run_document(run))
        else:
            click.echo(run.run_id)
