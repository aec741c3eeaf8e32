"""The options that every subcommand takes, before or after its name, and what they come to."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from lightflow.config import Config
    from lightflow.runtime.rpc.client import ControlClient

Command = TypeVar("Command", bound=Callable[..., Any])


@dataclass
class Session:
    """One call of the command line."""

    target: str | None = None
    data_dir_given: Path | None = None
    output: str = "text"
    config_file: Path | None = None

    @property
    def json(self) -> bool:
        """Whether results are to be JSON documents."""
        return self.output == "json"

    @property
    def data_dir(self) -> Path:
        """The folder of the embedded stack."""
        from lightflow.runtime.rpc.connection import data_dir

        return self.data_dir_given or data_dir()

    def connect(self, **options: Any) -> "ControlClient":
        """A client of the system that the options name; raises NoControlService."""
        from lightflow.runtime.rpc.client import ControlClient
        from lightflow.runtime.rpc.targets import find_target

        return ControlClient(find_target(self.target, self.config, self.data_dir), **options)

    @cached_property
    def config(self) -> "Config | None":
        """The configuration; None, and nothing slow imported, where nobody wrote one."""
        from lightflow.runtime.rpc.connection import written_config

        return written_config(self.config_file)

    def configuration(self) -> "Config":
        """The configuration, where one is needed: the defaults hold where nobody wrote one."""
        if self.config is not None:
            return self.config
        from lightflow.config import Config

        return Config.from_file(None, strict=False)

    @property
    def libraries(self) -> list[Path]:
        """The folders whose modules workflow files import."""
        return [Path(folder) for folder in self.config.libraries] if self.config else []


pass_session = click.make_pass_decorator(Session, ensure=True)


def _remember(ctx: click.Context, param: click.Parameter, value: Any) -> None:
    if value is not None:
        setattr(ctx.ensure_object(Session), str(param.name), value)


def _without_color(ctx: click.Context, _: click.Parameter, value: bool) -> None:
    if value or os.environ.get("NO_COLOR"):
        ctx.color = False


def _option(*names: str, callback: Callable[..., None] = _remember, **settings: Any) -> Callable[[Command], Command]:
    return click.option(*names, callback=callback, expose_value=False, **settings)


_target = _option("--target", metavar="ADDRESS", help="Control service to speak to, as HOST:PORT or unix:PATH.")
_data_dir = _option(
    "--data-dir",
    "data_dir_given",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Folder of the embedded stack  [default: ./.lightflow].",
)
_output = _option("-o", "--output", type=click.Choice(["text", "json"]), help="What results are written as.")


def no_color_option(*short: str) -> Callable[[Command], Command]:
    """Option --no-color; the environment variable NO_COLOR does the same."""
    return _option(*short, "--no-color", callback=_without_color, is_flag=True, help="Write without colours.")


def session_options(command: Command) -> Command:
    """Options --target, --data-dir, --output and --no-color; their values are in the Session."""
    return _target(_data_dir(_output(no_color_option()(command))))
