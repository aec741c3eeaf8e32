"""`lightflowctl watch`."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from lightflow.cli.session import Session, pass_session, session_options

if TYPE_CHECKING:
    from lightflow.control.v1 import control_pb2 as pb


@click.command("watch")
@click.argument("run", metavar="[RUN]", required=False)
@click.option("--since", metavar="TIME", help="Begin with what happened since: 10m, 2h, 3d, or a date.")
@session_options
@pass_session
def command(session: Session, run: str | None, since: str | None) -> None:
    """Print events as they happen, of all runs until Ctrl-C, or of one RUN from its beginning to its end."""
    from lightflow.cli.finding import find_run
    from lightflow.cli.parsing import parse_since
    from lightflow.cli.render.times import time_of
    from lightflow.cli.streams import Streams

    after = parse_since(since, datetime.now(UTC)) if since else None
    with session.connect() as client:
        found = find_run(client, run) if run else None
        if found is not None and after is None:
            after = time_of(found, "created_at")
        run_id = found.run_id if found else ""
        seen: set[str] = set()
        for happened in Streams(events=lambda: client.watch_events(run_id, since=after)).read():
            if happened.kind == "interrupted":
                return
            # A stream that was cut begins again where it began before: each event is told once.
            if happened.kind == "message" and happened.value.id not in seen:
                seen.add(happened.value.id)
                _tell(session, happened.value)
                if run_id and ends(happened.value):
                    return


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
