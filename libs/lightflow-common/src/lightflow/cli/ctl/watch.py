"""`lightflowctl watch`."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from lightflow.cli import completing
from lightflow.cli.session import Session, pass_session, session_options

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lightflow.control.v1 import control_pb2 as pb
    from lightflow.runtime.rpc.client import ControlClient


@click.command("watch")
@click.argument("run", metavar="[RUN]", required=False, shell_complete=completing.runs)
@click.option("--since", metavar="TIME", help="Begin with what happened since: 10m, 2h, 3d, or a date.")
@session_options
@pass_session
def command(session: Session, run: str | None, since: str | None) -> None:
    """Print events as they happen, of all runs until Ctrl-C, or of one RUN from its beginning to its end."""
    from lightflow.cli.finding import find_run
    from lightflow.cli.parsing import parse_since
    from lightflow.cli.render.times import time_of

    after = parse_since(since, datetime.now(UTC)) if since else None
    with session.connect() as client:
        found = find_run(client, run) if run else None
        if found is not None and after is None:
            after = time_of(found, "created_at")
        for event in events(client, found.run_id if found else "", after):
            _tell(session, event)
            if found and ends(event):
                return


def events(client: "ControlClient", run_id: str, after: datetime | None) -> "Iterator[pb.Event]":
    """Each event once, until Ctrl-C; a stream that was cut goes on where it was."""
    from lightflow.cli.streams import Streams
    from lightflow.runtime.told import Told

    told = Told(after)
    with Streams(events=lambda: client.watch_events(run_id, since=told.since)) as streams:
        for happened in streams.read():
            if happened.kind == "interrupted":
                return
            if happened.kind == "message" and (event := told.new(happened.value)) is not None:
                yield event


def ends(event: "pb.Event") -> bool:
    """Whether this event is the end of its run."""
    return event.type == "workflow" and not event.event.endswith("-started")


def _tell(session: Session, event: "pb.Event") -> None:
    from lightflow.cli.render.documents import event_document
    from lightflow.cli.render.events import event_line
    from lightflow.cli.result import write_json_line

    if session.json:
        write_json_line(event_document(event))
    else:
        click.echo(event_line(event))
