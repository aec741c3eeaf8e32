"""`lightflow monitor`."""

from typing import TYPE_CHECKING

import click

from lightflow.cli.session import Session, pass_session

if TYPE_CHECKING:
    from lightflow.control.v1 import control_pb2 as pb

_WIDTHS = (21, 11, 10, 26, 26)
_TITLES = ("TIME", "EVENT", "TYPE", "NAME", "RUN")
_DETAILED_WIDTHS = (12, 18, 8)
_DETAILED_TITLES = ("QUEUE", "WORKER", "PID", "DURATION")


@click.command("monitor")
@click.option("-d", "--details", is_flag=True, help="Show queue, worker, process and duration too.")
@pass_session
def command(session: Session, details: bool) -> None:
    """Show what happens to runs, DAGs and tasks as it happens, until Ctrl-C."""
    from lightflow.cli.ctl.watch import events

    titles = (*_TITLES, *_DETAILED_TITLES) if details else _TITLES
    with session.connect() as client:
        click.echo(row([click.style(title, bold=True) for title in titles]))
        for event in events(client, "", None):
            click.echo(row(cells(event, session.configuration().cli["time_format"], details)))


def cells(event: "pb.Event", time_format: str, details: bool) -> list[str]:
    """What a line says of an event; the time by the configuration's format, on the clock of who looks."""
    from lightflow.cli.render.columns import state
    from lightflow.cli.render.times import seconds_of, span, time_of

    time = time_of(event, "time")
    when = time.astimezone().strftime(time_format) if time else ""
    word = click.style("started", fg="cyan") if event.event.endswith("-started") else state(event.state)
    shown = [when, word, event.type]
    shown += [event.name, event.run_id]
    return [*shown, event.queue, event.worker, str(event.pid or ""), span(seconds_of(event))] if details else shown


def row(texts: list[str]) -> str:
    """The texts below those of the line above, as long as they are no longer than usual."""
    widths = (*_WIDTHS, *_DETAILED_WIDTHS)
    padded = [
        text + " " * (width - len(click.unstyle(text))) for text, width in zip(texts, widths, strict=False)
    ] + texts[len(widths) :]
    return " ".join(padded).rstrip()
