"""`lightflowctl show`."""

import click

from lightflow.cli import completing
from lightflow.cli.session import Session, pass_session, session_options
from lightflow.cli.sources import find_source


@click.command("show")
@click.argument("workflow", metavar="NAME|FILE", shell_complete=completing.workflows)
@session_options
@pass_session
def command(session: Session, workflow: str) -> None:
    """Show the graph and the parameters of a workflow.

    A task with several predecessors is drawn below each of them; [slot] is the alias under which data arrives.
    """
    from lightflow.cli.render.documents import workflow_document
    from lightflow.cli.render.workflows import workflow_details
    from lightflow.cli.result import write_json
    from lightflow.cli.starting import handed_over, said

    source = find_source(workflow)
    with session.connect() as client, said(source):
        name, upload = handed_over(client, source, session.libraries)
        found = client.get_workflow(name, upload=upload)
    if session.json:
        write_json(workflow_document(found))
    else:
        click.echo(workflow_details(found))
