"""`lightflowctl up`."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lightflow.cli.session import Session, pass_session, session_options

if TYPE_CHECKING:
    from lightflow.local.stack import StackInfo
    from lightflow.local.stack.options import StackOptions

_FOLDER = click.Path(exists=True, file_okay=False)


def _pairs(ctx: click.Context, param: click.Parameter, values: tuple[str, ...]) -> list[tuple[str, str]]:
    """SERVICE=VALUE, several times."""
    split = [value.partition("=") for value in values]
    for service, _, value in split:
        if not service or not value:
            raise click.BadParameter(f"write it as {param.metavar}", ctx, param)
    return [(service, value) for service, _, value in split]


def _numbers(ctx: click.Context, param: click.Parameter, values: tuple[str, ...]) -> dict[str, int]:
    pairs = _pairs(ctx, param, values)
    for service, value in pairs:
        if not value.isdecimal():
            raise click.BadParameter(f"{value!r} is no number of replicas for the {service}", ctx, param)
    return {service: int(value) for service, value in pairs}


def _lists(ctx: click.Context, param: click.Parameter, values: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    pairs = _pairs(ctx, param, values)
    return {service: tuple(value for other, value in pairs if other == service) for service, _ in pairs}


@click.command("up")
@click.option("-d", "--detach", is_flag=True, help="Keep the system running in the background.")
@click.option("--workflows", type=_FOLDER, multiple=True, metavar="DIR", help="Folder with workflow files; may repeat.")
@click.option("--task-slots", type=click.IntRange(min=1), metavar="N", help="Tasks that a task worker runs at once.")
@click.option("--replicas", callback=_numbers, multiple=True, metavar="SERVICE=N", help="How many of a service.")
@click.option("--queue", "queues", callback=_lists, multiple=True, metavar="SERVICE=NAME", help="A further queue.")
@click.option("-c", "--config", type=click.Path(exists=True, dir_okay=False), help="Configuration file to build on.")
@session_options
@pass_session
def command(session: Session, /, detach: bool, **choices: Any) -> None:
    """Start a system on this machine: redis, MongoDB and the three services.

    SERVICE is scheduler, dag-runner or task-worker. Everything is kept in the data dir; nothing listens on the
    network. Without --detach the system runs until Ctrl-C.

    \b
    lightflowctl up --detach
    lightflowctl up --workflows flows --task-slots 4
    lightflowctl up --replicas task-worker=2 --queue task-worker=high
    """
    from lightflow.local.stack.options import StackOptions

    options = StackOptions(str(session.data_dir), **choices)
    options.check()
    if detach:
        _in_background(session, options)
    else:
        _in_foreground(session, options)


def _in_background(session: Session, options: "StackOptions") -> None:
    from lightflow.local.stack import Stack

    info = Stack.start(**options.to_json()).info
    _tell(session, info)
    if not session.json:
        from lightflow.cli.render.stack import typed

        click.echo(f"`{typed(info)} down` stops it.")


def _in_foreground(session: Session, options: "StackOptions") -> None:
    from lightflow.local.stack.serve import serve

    def ready(info: "StackInfo") -> None:
        _tell(session, info)
        click.echo("Ctrl-C stops it.", err=True)

    def stopping() -> None:
        click.echo("Stopping; running tasks get their grace, a second Ctrl-C cuts it short.", err=True)

    serve(options, ready, on_stop=stopping)
    click.echo("Stopped. Runs that had not ended go on after the next `up`.", err=True)


def _tell(session: Session, info: "StackInfo") -> None:
    """What was started, how to reach it, and what to type next."""
    if session.json:
        from lightflow.cli.render.stack import stack_document
        from lightflow.cli.result import write_json

        write_json(stack_document(info))
        return
    names = ", ".join(process.name for process in info.processes)
    click.echo(f"A system is up in {info.data_dir}: {names}.")
    click.echo(f"  control  {info.target}\n  logs     {info.data_dir}/logs")
    click.echo(f"Next: `{_next(info)}`")


def _next(info: "StackInfo") -> str:
    """A command that works where the person is, with the workflows that the system has."""
    from lightflow.cli.render.stack import typed
    from lightflow.config import Config

    folders = Config.from_file(info.config).workflows
    what = "run simple" if any((Path(folder) / "simple.py").is_file() for folder in folders) else "list"
    return f"{typed(info)} {what}"
