"""`lightflow ext`."""

import importlib.util
import os
import sys
from importlib import import_module
from pathlib import Path

import click

from lightflow.cli import completing
from lightflow.cli.errors import WrongInput
from lightflow.cli.session import Session, pass_session

_OWN = frozenset(("lightflow_scheduler", "lightflow_dag_runner", "lightflow_task_worker"))
_PREFIX = "lightflow_"


@click.command("ext", context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.argument("name", shell_complete=completing.extensions)
@click.argument("arguments", metavar="[ARGS]...", nargs=-1, type=click.UNPROCESSED)
@pass_session
def command(session: Session, name: str, arguments: tuple[str, ...]) -> None:
    """Run the extension NAME: `main(ARGS)` of the module lightflow_NAME.__main__.

    \b
    lightflow ext rest --port 8080
    """
    module = f"{_PREFIX}{name.replace('-', '_')}"
    if module in _OWN or importlib.util.find_spec(module) is None:
        raise WrongInput(f"There is no extension {name!r}: no package {module} is installed{_listed(installed())}")
    if importlib.util.find_spec(f"{module}.__main__") is None:
        raise WrongInput(f"The package {module} has no module __main__ to run")
    if session.config_file is not None:
        os.environ["LIGHTFLOW_CONFIG"] = str(session.config_file.resolve())
    main = getattr(import_module(f"{module}.__main__"), "main", None)
    if not callable(main):
        raise WrongInput(f"The module {module}.__main__ has no function main(args) to run")
    main(list(arguments[1:] if arguments[:1] == ("--",) else arguments))  # -- only parts them from lightflow's own


def installed() -> list[str]:
    """The names of the packages that can be run, those without an __init__ too."""
    mains = [main for folder in sys.path for main in Path(folder).glob(f"{_PREFIX}*/__main__.py")]
    return sorted({main.parent.name.removeprefix(_PREFIX) for main in mains if main.parent.name not in _OWN})


def _listed(names: list[str]) -> str:
    return f"; there are: {', '.join(names)}" if names else ""
