"""Start arguments against the options of a workflow. Needs only the options as data, so every service can do it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from lightflow.core.errors import WorkflowArgumentError
from lightflow.core.graph import OptionSpec
from lightflow.core.nearest import nearest

_TRUE = frozenset({"true", "1", "yes", "y"})
_FALSE = frozenset({"false", "0", "no", "n"})


@dataclass(frozen=True, slots=True)
class Encoded:
    """The default of an option that was not given: an encoded value, as the version stores it."""

    data: bytes


def split(text: str) -> tuple[str, str]:
    """`key=value` as (key, value); raises WorkflowArgumentError."""
    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise WorkflowArgumentError(f"{text!r} is no argument; write it as key=value")
    return name.strip(), value


def convert(options: Sequence[OptionSpec], given: Mapping[str, object]) -> dict[str, object]:
    """What lands in the store: given values converted, defaults (`Encoded`) added, arguments without option as given.

    Raises WorkflowArgumentError naming every option that is missing or cannot be converted, and why.
    """
    values = dict(given)
    problems = []
    strangers = set(given) - {option.name for option in options}
    for option in options:
        try:
            if option.name in given:
                values[option.name] = convert_value(option.name, option.type, given[option.name])
            elif option.required or option.default is None:
                problems.append(_missing(option, strangers))
            else:
                values[option.name] = Encoded(option.default)
        except WorkflowArgumentError as error:
            problems.append(error.message)
    if problems:
        raise WorkflowArgumentError("; ".join(problems))
    return values


def convert_value(name: str, kind: str, value: object) -> object:
    """The value as the option's type; types other than str, int, float and bool take it as given."""
    converter = _CONVERTERS.get(kind)
    if converter is None:
        return value
    try:
        if value is None:
            raise ValueError
        return converter(value)
    except (TypeError, ValueError, OverflowError):
        raise WorkflowArgumentError(f"option {name!r} takes {_WANTED[kind]}, not {_shown(value)}") from None


def _missing(option: OptionSpec, strangers: set[str]) -> str:
    meant = nearest(option.name, strangers)
    about = f" ({option.help})" if option.help else ""
    instead = f", was {meant!r} meant to be it?" if meant else f"; add {option.name}=..."
    return f"option {option.name!r}{about} is required and missing{instead}"


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 100 else text[:97] + "..."


def _to_int(value: object) -> int:
    number = int(value)  # type: ignore[call-overload]
    if isinstance(value, float) and number != value:
        raise ValueError
    return int(number)


def _to_float(value: object) -> float:
    return float(value)  # type: ignore[arg-type]


def _to_bool(value: object) -> bool:
    text = str(value).strip().lower()
    if text not in _TRUE | _FALSE:
        raise ValueError
    return text in _TRUE


_CONVERTERS: dict[str, Callable[[object], object]] = {"str": str, "int": _to_int, "float": _to_float, "bool": _to_bool}
_WANTED = {
    "str": "text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true, 1, yes, y or false, 0, no, n",
}
