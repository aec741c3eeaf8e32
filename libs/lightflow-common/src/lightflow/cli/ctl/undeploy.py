"""`lightflowctl undeploy`."""

import click

from lightflow.cli.errors import WrongInput
from lightflow.cli.session import Session, pass_session, session_options


@click.command("undeploy")
@click.argument("name", metavar="NAME")
@session_options
@pass_session
def command(session: Session, name: str) -> None:
    """Load a workflow afresh at every start again."""
    from lightflow.cli.result import write_json
    from lightflow.core.errors import WorkflowUnknown

    with session.connect() as client:
        try:
            client.undeploy_workflow(name)
        except WorkflowUnknown as error:
            raise WrongInput(f"{name} is not deployed{error.hint}") from None
    if session.json:
        write_json({"name": name, "deployed": False})
    else:
        click.echo(f"{name} is no longer deployed.")
