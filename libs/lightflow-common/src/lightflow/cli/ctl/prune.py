"""`lightflowctl prune`."""

import click

from lightflow.cli.session import Session, pass_session, session_options

AGE = "Age since a run's end: 30m, 2h, 3d.  [default: engine.retention_days]"


@click.command("prune")
@click.option("--older-than", metavar="AGE", help=AGE)
@session_options
@pass_session
def command(session: Session, older_than: str | None) -> None:
    """Remove what runs left that ended long ago.

    Their outputs, logs and records go, and versions that nothing uses. A system does so by itself, every hour; this
    does it now.
    """
    from lightflow.cli.parsing import parse_age
    from lightflow.cli.result import write_json

    age = None if older_than is None else parse_age(older_than)
    with session.connect() as client:
        pruned = client.prune(age)
    if session.json:
        write_json({"runs": pruned.runs, "versions": pruned.versions})
    else:
        click.echo(f"Removed {_count(pruned.runs, 'run')} and {_count(pruned.versions, 'version')}.")


def _count(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"
