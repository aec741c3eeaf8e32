"""A click group whose subcommands are imported when they are called, so that `--help` costs one import of click."""

import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

import click

from lightflow.cli.errors import run_guarded

Sections = Mapping[str, Mapping[str, tuple[str, str]]]
"""title -> subcommand -> (module that exposes `command`, short help)"""


class LazyGroup(click.Group):
    """A group that knows its subcommands by module name, and ends by the exit codes of `lightflow.cli.errors`."""

    def __init__(self, *args: Any, sections: Sections, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.sections = sections
        self._known = {name: entry for section in sections.values() for name, entry in section.items()}

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self._known)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self._known:
            return None
        command: click.Command = import_module(self._known[cmd_name][0]).command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for title, section in self.sections.items():
            with formatter.section(title):
                formatter.write_dl([(name, text) for name, (_, text) in section.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if not ctx.resilient_parsing and args[0] not in self._known and not args[0].startswith("-"):
            raise click.exceptions.NoSuchCommand(args[0], possibilities=self._known, ctx=ctx)
        return super().resolve_command(ctx, args)

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        **extra: Any,
    ) -> Any:
        def body() -> Any:
            return super(LazyGroup, self).main(args, prog_name, complete_var, standalone_mode=False, **extra)

        if not standalone_mode:
            return body()
        sys.exit(run_guarded(body))
