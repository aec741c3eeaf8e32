"""What a workflow asks of whoever starts it."""

from collections.abc import Callable, Mapping
from typing import Any

from lightflow.core.arguments import Encoded, convert, convert_value
from lightflow.core.graph import OptionSpec


class Option:
    """An argument that a workflow takes; without a default it is required.

    `type` is `str`, `int`, `float` or `bool` (true: `true 1 yes y`, false: `false 0 no n`, any case); any other takes
    the value as it is given. The value lies in the store under `name` before the first task runs.
    """

    def __init__(self, name: str, default: Any = None, help: str | None = None, type: Any = str) -> None:
        self._name = name
        self._default = default
        self._help = help
        self._type = type

    @property
    def name(self) -> str:
        """The key under which the value lands in the store."""
        return self._name

    @property
    def default(self) -> Any:
        """The value when none is given; None makes the option required."""
        return self._default

    @property
    def help(self) -> str | None:
        """What the option is for."""
        return self._help

    @property
    def type(self) -> Any:
        """The type of the value."""
        return self._type

    def convert(self, value: Any) -> Any:
        """The value as the option's type; raises WorkflowArgumentError."""
        return convert_value(self._name, self._type_name, value)

    def spec(self, encode: Callable[[Any], bytes]) -> OptionSpec:
        """The option as data; `encode` makes bytes of the default."""
        required = self._default is None
        default = None if required else self.convert(self._default)
        return OptionSpec(
            name=self._name,
            type=self._type_name,
            required=required,
            default=None if required else encode(default),
            default_text="" if required else repr(default),
            help=self._help or "",
        )

    @property
    def _type_name(self) -> str:
        return str(getattr(self._type, "__name__", self._type))


class Parameters(list[Option]):
    """The options of a workflow: a list of `Option`, at the top of the workflow file."""

    def check_missing(self, args: Mapping[str, Any]) -> list[str]:
        """The names of required options that the arguments lack."""
        return [option.name for option in self if option.name not in args and option.default is None]

    def consolidate(self, args: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments converted, defaults added; raises WorkflowArgumentError."""
        defaults = {option.name: option.convert(option.default) for option in self if option.default is not None}
        values = convert([option.spec(lambda _: b"") for option in self], args)
        return {name: defaults[name] if isinstance(value, Encoded) else value for name, value in values.items()}
