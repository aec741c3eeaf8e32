"""`lightflow config`: write a configuration, show the one that holds, copy the examples."""

import shutil
from pathlib import Path

import click

from lightflow.cli.asking import confirm, yes_option
from lightflow.cli.session import Session, pass_session

_DEST = click.argument("dest", metavar="DEST", type=click.Path(path_type=Path))


@click.group("config")
def command() -> None:
    """Write a configuration, show the one that holds, copy the example workflows."""


@command.command("default")
@_DEST
@yes_option
def default(dest: Path, yes: bool) -> None:
    """Write the default configuration to DEST: a folder, or the name of the file.

    \b
    lightflow config default .
    """
    from lightflow.config import LIGHTFLOW_CONFIG_NAME, Config

    file = dest / LIGHTFLOW_CONFIG_NAME if dest.is_dir() else dest
    if not file.parent.is_dir():
        raise click.UsageError(f"there is no folder {file.parent} to write {file.name} into; make it first")
    if file.exists():
        confirm(f"{file} exists already. Overwrite it?", yes)
    file.write_text(Config.default(), encoding="utf-8")
    click.echo(f"Wrote {file}.")


@command.command("list")
@pass_session
def list_(session: Session) -> None:
    """Show the configuration that holds, defaults included; passwords are masked."""
    from lightflow.cli.result import write_json

    config = session.configuration()
    if session.json:
        write_json(config.shown())
    else:
        click.echo(f"# {config.filename or 'No configuration file: these are the defaults.'}")
        click.echo(_yaml(config.shown()), nl=False)


def _yaml(document: object) -> str:
    from io import StringIO

    from ruamel.yaml import YAML

    yaml, text = YAML(typ="safe", pure=True), StringIO()
    yaml.default_flow_style = False
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    yaml.dump(document, text)
    return text.getvalue()


@command.command("examples")
@_DEST
@click.option("-u", "--user-dir", is_flag=True, help="Copy right into DEST, not into a folder `examples` in it.")
@yes_option
def examples(dest: Path, user_dir: bool, yes: bool) -> None:
    """Copy the example workflows into a folder `examples` in DEST.

    \b
    lightflow config examples .
    """
    folder = dest if user_dir else dest / "examples"
    files = example_files()
    existing = [file.name for file in files if (folder / file.name).exists()]
    if existing:
        names = ", ".join(existing[:4]) + (", ..." if len(existing) > 4 else "")
        confirm(f"{folder} has {names} already. Overwrite?", yes)
    folder.mkdir(parents=True, exist_ok=True)
    for file in files:
        shutil.copyfile(file, folder / file.name)
    click.echo(f"Copied {len(files)} workflows to {folder}.")


def example_files() -> list[Path]:
    """The workflows that ship with the library."""
    import lightflow

    return sorted(Path(lightflow.__file__).parent.glob("examples/[!_]*.py"))
