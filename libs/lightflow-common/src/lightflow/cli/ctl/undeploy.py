"""`lightflowctl undeploy`."""

import click

from lightflow.cli.session import Session, pass_session, session_options
from lightflow.cli.sources import Named


@click.command("undeploy")
@click.argument("name", metavar="NAME")
@session_options
@pass_session
def command(session: Session, name: str) -> None:
    """Load a workflow afresh at every start again."""
    from lightflow.cli.result import write_json
    from lightflow.cli.starting import said

    with session.connect() as client, said(Named(name)):
        client.undeploy_workflow(name)
    if session.json:
        write_json({"name": name, "deployed": False})
    else:
        click.echo(f"{name} is no longer deployed.")
