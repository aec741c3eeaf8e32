"""`lightflowctl data`."""

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from lightflow.cli import completing
from lightflow.cli.parsing import parse_value
from lightflow.cli.session import Session, pass_session, session_options
from lightflow.core.states import FINAL

if TYPE_CHECKING:
    from lightflow.runtime.rpc.client import ControlClient

_GONE = "; the data of a run goes with its end, unless it is started with --keep-data"

_run = click.argument("run", metavar="RUN", shell_complete=completing.runs)
_section = click.option(
    "--section", type=click.Choice(["data", "meta"]), default="data", show_default=True, help="Part of the store."
)


@click.group("data")
def command() -> None:
    """Read and change the data store of a run. Dots in a KEY nest.

    A VALUE is read as JSON where it is JSON, else as a string.

    \b
    lightflowctl data get 65f1a0 result.total
    lightflowctl data set 65f1a0 limit 20
    lightflowctl data push 65f1a0 names '"Ada"'
    lightflowctl data extend 65f1a0 names '["Grace", "Edith"]'
    """


@command.command("get")
@_run
@click.argument("key")
@_section
@session_options
@pass_session
def get(session: Session, run: str, key: str, section: str) -> None:
    """Print a value; exit code 1 when there is none under that key."""
    from lightflow.cli.finding import find_run

    with session.connect() as client:
        found = find_run(client, run)
        encoded = client.get_data(found.run_id, key, section=section)
    if encoded is None:
        gone = _GONE if section == "data" and found.state in FINAL and not found.keep_data else "."
        raise click.ClickException(f"There is nothing under {key!r} in the {section} of run {found.run_id}{gone}")
    click.echo(value_text(_decoded(encoded, key), as_json=session.json))


def _decoded(encoded: bytes, key: str) -> Any:
    from lightflow.runtime.datastore.encoding import decode

    try:
        return decode(encoded)
    except (ImportError, AttributeError) as error:
        raise click.ClickException(f"The object under {key!r} needs what is not installed here: {error}") from None


def value_text(value: Any, *, as_json: bool) -> str:
    """A value as it is printed: strings as they are, unless JSON is wanted; what JSON cannot say by its repr."""
    if isinstance(value, str) and not as_json:
        return value
    return json.dumps(value, indent=2, ensure_ascii=False, default=_said)


def _said(value: Any) -> str:
    return str(value.isoformat()) if hasattr(value, "isoformat") else repr(value)


def _change(
    session: Session, run: str, key: str, value: Any, section: str, method: Callable[["ControlClient"], Any]
) -> None:
    from lightflow.cli.finding import find_run
    from lightflow.core.ids import new_id

    with session.connect() as client:
        run_id = find_run(client, run).run_id
        encoded = json.dumps(value).encode()
        method(client)(run_id, key, encoded, section=section, operation_id=new_id(), json=True)


@command.command("set")
@_run
@click.argument("key")
@click.argument("value")
@_section
@session_options
@pass_session
def set_(session: Session, run: str, key: str, value: str, section: str) -> None:
    """Set a value, replacing the one before."""
    _change(session, run, key, parse_value(value), section, lambda client: client.set_data)


@command.command("push")
@_run
@click.argument("key")
@click.argument("value")
@_section
@session_options
@pass_session
def push(session: Session, run: str, key: str, value: str, section: str) -> None:
    """Append one value to a list."""
    _change(session, run, key, parse_value(value), section, lambda client: client.push_data)


@command.command("extend")
@_run
@click.argument("key")
@click.argument("value")
@_section
@session_options
@pass_session
def extend(session: Session, run: str, key: str, value: str, section: str) -> None:
    """Append the values of a list, given as JSON."""
    values = parse_value(value)
    if not isinstance(values, list):
        raise click.UsageError(f"{value!r} is no list; write it as JSON: '[1, 2]'. `data push` appends one value")
    _change(session, run, key, values, section, lambda client: client.extend_data)
