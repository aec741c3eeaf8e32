"""The options that every subcommand takes, before or after its name, and what they come to."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from lightflow.runtime.rpc.client import ControlClient

Command = TypeVar("Command", bound=Callable[..., Any])


@dataclass
class Session:
    """One call of the command line."""

    target: str | None = None
    data_dir_given: Path | None = None
    output: str = "text"

    @property
    def json(self) -> bool:
        """Whether results are to be JSON documents."""
        return self.output == "json"

    @property
    def data_dir(self) -> Path:
        """The folder of the embedded stack."""
        return self.data_dir_given or Path(os.environ.get("LIGHTFLOW_DATA_DIR") or ".lightflow")

    def connect(self) -> "ControlClient":
        """A client of the system that the options name; raises NoControlService."""
        from lightflow.runtime.rpc.client import ControlClient
        from lightflow.runtime.rpc.targets import find_target

        return ControlClient(find_target(self.target, None, self.data_dir))


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
_no_color = _option("--no-color", callback=_without_color, is_flag=True, help="Write without colours.")


def session_options(command: Command) -> Command:
    """Options --target, --data-dir, --output and --no-color; their values are in the Session."""
    return _target(_data_dir(_output(_no_color(command))))
