"""`lightflow workflow`: list, start, stop and see workflows on the running system."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from lightflow.cli.session import Session, pass_session
from lightflow.cli.starting import Start, start_options

if TYPE_CHECKING:
    from lightflow.runtime.rpc.client import ControlClient

LIVE = ("pending", "running", "stopping")


@click.group("workflow")
def command() -> None:
    """List, start, stop and see workflows."""


@command.command("list")
@pass_session
def list_(session: Session) -> None:
    """List the workflows of the configuration's folders with their short descriptions; needs no running system."""
    from lightflow.cli.render.workflows import workflow_lines
    from lightflow.workflows import list_workflows

    config = session.configuration()
    click.echo(workflow_lines(list_workflows(config), config.workflows))


@command.command("start")
@start_options
@pass_session
def start(session: Session, workflow: str, arguments: tuple[str, ...], queue: str, keep_data: bool) -> None:
    """Start a workflow and print the id of the run.

    \b
    lightflow workflow start simple
    lightflow workflow start parameters filepath=/data recursive=yes
    """
    asked = Start.of(workflow, arguments, queue, keep_data)
    with session.connect() as client:
        run = asked.send(client, session.libraries)
    click.echo(run.run_id)
    click.echo(f"Workflow {run.workflow} is started. See how it goes:", err=True)
    for command, tells in (
        (f"lightflowctl logs -f {run.run_id[:8]}", "prints"),
        ("lightflow workflow status", "states"),
    ):
        click.echo(f"  {command:<32}the tasks' {tells}", err=True)


@command.command("stop")
@click.argument("names", metavar="[NAME|RUN]...", nargs=-1)
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@pass_session
def stop(session: Session, names: tuple[str, ...], yes: bool) -> None:
    """Stop the runs of workflows, or runs by their ids or by the id of a job; without names all runs. Asks first."""
    from lightflow.core.errors import RunFinished

    with session.connect() as client:
        ids = named_runs(client, names)
        if not ids:
            click.echo("No run is going on.")
            return
        if not yes:
            click.confirm(f"Stop {len(ids)} run{'s' if len(ids) > 1 else ''}?", abort=True, err=True)
        for run_id in ids:
            try:
                run = client.stop_run(run_id)
                click.echo(f"Run {run.run_id} of {run.workflow} is {run.state}.")
            except RunFinished as error:
                click.echo(str(error))


def named_runs(client: "ControlClient", names: tuple[str, ...]) -> list[str]:
    """The ids of the runs that are meant: those of a workflow that go on, or the one of an id; else all."""
    from lightflow.cli.finding import find_run
    from lightflow.runtime.records import run_of

    going_on = {run.run_id: run.workflow for run in client.list_runs(states=LIVE)}
    if not names:
        return list(going_on)
    found: dict[str, None] = {}
    for name in names:
        of_workflow = [run_id for run_id, workflow in going_on.items() if workflow == name]
        found.update(dict.fromkeys(of_workflow or [find_run(client, run_of(name)).run_id]))
    return list(found)


@command.command("status")
@click.option("-d", "--details", is_flag=True, help="Show the tasks of each run.")
@pass_session
def status(session: Session, details: bool) -> None:
    """Show the runs that go on."""
    from lightflow.cli.render.runs import run_details, runs_table

    now = datetime.now(UTC)
    with session.connect() as client:
        runs = list(client.list_runs(states=LIVE))
        if details and runs:
            runs = [client.get_run(run.run_id) for run in runs]
    click.echo("\n\n".join(run_details(run, now) for run in runs) if details and runs else runs_table(runs, now))
