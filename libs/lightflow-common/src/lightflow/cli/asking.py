"""Questions before something is stopped or overwritten, and what to give where nobody can answer."""

import sys
from collections.abc import Callable
from typing import Any, TypeVar

import click

from lightflow.cli.errors import WrongInput

Command = TypeVar("Command", bound=Callable[..., Any])


def yes_option(command: Command) -> Command:
    """Option -y/--yes, for commands that ask."""
    return click.option("-y", "--yes", is_flag=True, help="Do not ask.")(command)


def confirm(question: str, yes: bool) -> None:
    """Ask on stderr unless `yes`, and end the command unless the answer is yes."""
    if yes:
        return
    try:
        agreed = click.confirm(question, err=True)
    except click.Abort:
        click.echo(err=True)  # the question stands on a line without an end
        if sys.stdin.isatty():
            raise
        raise WrongInput("There is nobody to ask here, so nothing was done; give --yes to do it") from None
    if not agreed:
        click.echo("Nothing was done.", err=True)
        raise click.exceptions.Exit(1)
