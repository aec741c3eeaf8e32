"""`lightflowctl status`."""

from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING

import click

from lightflow.cli import completing
from lightflow.cli.session import Session, pass_session, session_options

if TYPE_CHECKING:
    from lightflow.control.v1 import control_pb2 as pb
    from lightflow.runtime.rpc.client import ControlClient

STATES = ("pending", "running", "stopping", "succeeded", "stopped", "aborted", "failed")
MOST_LINES = 100


@click.command("status")
@click.argument("run", metavar="[RUN]", required=False, shell_complete=completing.runs)
@click.option("-s", "--state", "states", type=click.Choice(STATES), multiple=True, help="Only runs in this state.")
@click.option("-w", "--workflow", default="", metavar="NAME", help="Only runs of this workflow.")
@click.option("--since", metavar="TIME", help="Only runs created since: 10m, 2h, 3d, or a date.")
@click.option("--all", "everything", is_flag=True, help=f"List all runs, not just the newest {MOST_LINES}.")
@session_options
@pass_session
def command(
    session: Session, run: str | None, states: tuple[str, ...], workflow: str, since: str | None, everything: bool
) -> None:
    """List the runs, or show one in detail: its tasks, and what a queued one waits for.

    RUN is the id of a run or the beginning of it.

    \b
    lightflowctl status
    lightflowctl status --state failed --since 2d
    lightflowctl status 65f1a0
    """
    if run is not None:
        if states or workflow or since or everything:
            raise click.UsageError("--state, --workflow, --since and --all are for the list; leave out RUN")
        with session.connect() as client:
            _show_one(client, run, session)
        return
    from lightflow.cli.parsing import parse_since

    after = parse_since(since, datetime.now(UTC)) if since else None
    with session.connect() as client:
        runs = client.list_runs(states=states, workflow=workflow, since=after)
        shown = list(runs if everything or session.json else islice(runs, MOST_LINES))
        _show_list(session, shown)
        if not (everything or session.json) and next(runs, None) is not None:
            click.echo(f"These are the newest {MOST_LINES}; --all lists all, --since fewer.", err=True)


def _show_one(client: "ControlClient", text: str, session: Session) -> None:
    from lightflow.cli.finding import find_run
    from lightflow.cli.render.documents import run_document
    from lightflow.cli.render.runs import run_details
    from lightflow.cli.result import write_json

    run = find_run(client, text)
    if session.json:
        write_json(run_document(run))
    else:
        click.echo(run_details(run, datetime.now(UTC)))


def _show_list(session: Session, runs: list["pb.Run"]) -> None:
    from lightflow.cli.render.documents import run_document
    from lightflow.cli.render.runs import runs_table
    from lightflow.cli.result import write_json

    if session.json:
        write_json([run_document(run) for run in runs])
    else:
        click.echo(runs_table(runs, datetime.now(UTC)))
