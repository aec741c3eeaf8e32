"""The arguments of Celery's worker command that have a meaning here. Pure."""

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from lightflow.core.errors import WorkerArgumentInvalid


@dataclass(frozen=True, slots=True)
class Choices:
    """What was chosen; None is what the configuration says."""

    slots: int | None = None
    log_level: str | None = None
    name: str | None = None
    max_tasks_per_child: int | None = None


def parse(arguments: Sequence[str]) -> Choices:
    """The choices; raises WorkerArgumentInvalid for an argument without a meaning, or a value that cannot be."""
    choices = Choices()
    for option, value in _pairs(arguments):
        field, convert = _MEANINGS[option]
        try:
            choices = replace(choices, **{field: convert(value)})
        except ValueError as error:
            raise WorkerArgumentInvalid(f"{option} {value}".strip(), str(error)) from None
    return choices


def _pairs(arguments: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Each option with its value, written `-c 4`, `-c4`, `--concurrency 4` or `--concurrency=4`."""
    left = iter(arguments)
    for argument in left:
        if argument.startswith("--"):
            option, equals, value = argument.partition("=")
        else:
            option, value = argument[:2], argument[2:].removeprefix("=")
            equals = value
        if option not in _MEANINGS:
            raise WorkerArgumentInvalid(argument)
        yield option, value if equals else next(left, "")


def _number(value: str) -> int:
    if not value.isdecimal() or int(value) < 1:
        raise ValueError("it takes a whole number from 1")
    return int(value)


def _most(value: str) -> int:
    """Of MAX,MIN the first: task slots cost nothing while they are idle."""
    return _number(value.partition(",")[0])


def _level(value: str) -> str:
    level = value.upper()
    if level not in logging.getLevelNamesMapping():
        raise ValueError("it takes DEBUG, INFO, WARNING, ERROR or CRITICAL")
    return level


def _name(value: str) -> str:
    """Names go without the host, which every worker's name has anyway: of worker@%h the part before the @."""
    name = value.partition("@")[0]
    if not name:
        raise ValueError("it takes a name")
    return name


_MEANINGS: dict[str, tuple[str, Callable[[str], Any]]] = {
    "-c": ("slots", _number),
    "--concurrency": ("slots", _number),
    "--autoscale": ("slots", _most),
    "-l": ("log_level", _level),
    "--loglevel": ("log_level", _level),
    "-n": ("name", _name),
    "--hostname": ("name", _name),
    "--max-tasks-per-child": ("max_tasks_per_child", _number),
}
