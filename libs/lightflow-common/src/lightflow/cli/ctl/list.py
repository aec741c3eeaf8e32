"""`lightflowctl list`."""

import click

from lightflow.cli.session import Session, pass_session, session_options


@click.command("list")
@session_options
@pass_session
def command(session: Session) -> None:
    """List the workflows: those in the workflow folders of the system, and those deployed."""
    from lightflow.cli.render.documents import workflow_document
    from lightflow.cli.render.workflows import workflows_table
    from lightflow.cli.result import write_json

    with session.connect() as client:
        workflows = list(client.list_workflows())
    if session.json:
        write_json([workflow_document(workflow) for workflow in workflows])
    else:
        click.echo(workflows_table(workflows))
