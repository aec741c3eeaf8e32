"""`lightflowctl deploy`."""

import click

from lightflow.cli import completing
from lightflow.cli.session import Session, pass_session, session_options
from lightflow.cli.sources import find_source


@click.command("deploy")
@click.argument("workflow", metavar="NAME|FILE", shell_complete=completing.workflows)
@session_options
@pass_session
def command(session: Session, workflow: str) -> None:
    """Keep a version of a workflow for later starts.

    Later starts of that name use this version and do not execute the file again, until `undeploy` or the next
    `deploy`.

    \b
    lightflowctl deploy flows/report.py
    """
    from lightflow.cli.render.documents import workflow_document
    from lightflow.cli.result import write_json
    from lightflow.cli.starting import handed_over, said

    source = find_source(workflow)
    with session.connect() as client, said(source):
        name, upload = handed_over(client, source, session.libraries)
        found = client.deploy_workflow(name, upload=upload)
    if session.json:
        write_json(workflow_document(found))
    else:
        click.echo(f"Deployed {found.name}, version {found.version[:12]}.")
