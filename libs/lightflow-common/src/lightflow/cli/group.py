"""A click group whose subcommands are imported when they are called, so that `--help` costs one import of click."""

import os
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from itertools import takewhile
from typing import TYPE_CHECKING, Any

import click

from lightflow.cli.errors import run_guarded

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

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

    def shell_complete(self, ctx: click.Context, incomplete: str) -> "list[CompletionItem]":
        """As click does it, without importing every subcommand for its help."""
        from click.shell_completion import CompletionItem

        fitting = [CompletionItem(name, help=text) for name, (_, text) in self._known.items()]
        options = click.Command.shell_complete(self, ctx, incomplete)
        return [item for item in fitting if item.value.startswith(incomplete)] + options

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
        words = sys.argv[1:] if args is None else args
        sys.exit(run_guarded(body, False if os.environ.get("NO_COLOR") or self._declines_color(words) else None))

    def _declines_color(self, words: Sequence[str]) -> bool:
        """Whether an option says so: read by hand, because a command that is wrong is never parsed to its end."""
        own = takewhile(lambda word: word not in self._known, words)
        return "--no-color" in words or ("-n" in own and any("-n" in param.opts for param in self.params))
