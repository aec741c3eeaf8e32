"""`lightflow workflow`: list, start, stop and see workflows on the running system."""

from datetime import UTC, datetime
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING

import click

from lightflow.cli import completing
from lightflow.cli.asking import confirm, yes_option
from lightflow.cli.completing import LIVE
from lightflow.cli.errors import WrongInput
from lightflow.cli.session import Session, pass_session
from lightflow.cli.starting import Start, start_options

if TYPE_CHECKING:
    from lightflow.control.v1 import control_pb2 as pb
    from lightflow.runtime.rpc.client import ControlClient


@click.group("workflow")
def command() -> None:
    """List, start, stop and see workflows."""


@command.command("list")
@pass_session
def list_(session: Session) -> None:
    """List the workflows and what they are for.

    Those in the folders of the configuration; a system need not run.
    """
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
    click.echo(next_steps(run.run_id[:8], session.config_file), err=True)


def next_steps(run: str, config: Path | None) -> str:
    """What to type next; `lightflowctl` is told of a configuration by the environment."""
    ctl = f"LIGHTFLOW_CONFIG={quote(str(config))} lightflowctl" if config else "lightflowctl"
    steps = ((f"{ctl} logs -f {run}", "what its tasks print"), (f"{ctl} status {run}", "the states of its tasks"))
    width = max(len(command) for command, _ in steps)
    return "\n".join(f"  {command:<{width}}  {tells}" for command, tells in steps)


@command.command("stop")
@click.argument("names", metavar="[NAME|RUN]...", nargs=-1, shell_complete=completing.live_names)
@yes_option
@pass_session
def stop(session: Session, names: tuple[str, ...], yes: bool) -> None:
    """Stop runs: running tasks may finish, nothing new starts. Asks first.

    Runs are named by their workflow, by their ids or by the id of a job; without a name all are stopped.
    """
    from lightflow.cli.ctl.stop import told
    from lightflow.cli.render.runs import counted

    with session.connect() as client:
        runs = named_runs(client, names)
        if not runs:
            click.echo("No run is going on.")
            return
        confirm(f"Stop {counted(runs)}?", yes)
        for each in runs:
            click.echo(told(client.stop_run(each.run_id)))


def named_runs(client: "ControlClient", names: tuple[str, ...]) -> "list[pb.Run]":
    """The runs that are meant: those of a workflow that go on, or the one of an id; without names all that go on."""
    from lightflow.core.errors import InvalidRequest, RunUnknown
    from lightflow.core.nearest import hint
    from lightflow.runtime.records import run_of

    going_on = list(client.list_runs(states=LIVE))
    found = {run.run_id: run for run in going_on if not names or run.workflow in names}
    for name in set(names) - {run.workflow for run in going_on}:
        try:
            run = client.get_run(run_of(name))
        except (InvalidRequest, RunUnknown):
            known = dict.fromkeys(run.workflow for run in going_on)
            raise WrongInput(f"No run that goes on is of a workflow or has an id {name!r}{hint(name, known)}") from None
        found[run.run_id] = run
    return list(found.values())


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
    if details and runs:
        click.echo("\n\n".join(run_details(run, now) for run in runs))
    else:
        click.echo(runs_table(runs, now, none="No run is going on. `lightflowctl status` lists those that ended too."))
