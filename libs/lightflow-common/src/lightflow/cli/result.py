"""How a command writes its result."""

import json
from typing import Any

import click


def write_json(document: Any) -> None:
    """A document on stdout, indented for people who look at it."""
    click.echo(json.dumps(document, indent=2, ensure_ascii=False))


def write_json_line(document: Any) -> None:
    """A document on one line of stdout: one of a stream."""
    click.echo(json.dumps(document, ensure_ascii=False))
