"""The base of all errors.

Instances survive pickling (between processes) and `to_json` / `from_json` (the contract): what is raised at one end is
raised again, as the same class, at the other.
"""

from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeVar, dataclass_transform

_Error = TypeVar("_Error", bound="LightflowException")


@dataclass_transform(eq_default=False, field_specifiers=(field,))
def with_fields(cls: type[_Error]) -> type[_Error]:
    """Make the annotations of an error class its named fields."""
    return dataclass(eq=False, repr=False)(cls)


class LightflowException(RuntimeError):  # noqa: N818 (a name of the public API)
    """The base of every error; `message` is what it tells a person."""

    template: ClassVar[str] = ""
    message = ""

    def __init__(self, message: str = "") -> None:
        super().__init__(message)
        self.message = message or self.template

    def __post_init__(self) -> None:
        """Runs after the constructor of a class with named fields."""
        self.message = self.message or self.template.format(self=self)
        self.args = (self.message,)

    def __str__(self) -> str:
        return self.message

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.message!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        return rebuild, (type(self), dict(self.__dict__))

    def to_json(self) -> dict[str, Any]:
        """The error as `{"type": class name, "fields": {...}}`."""
        fields = {name: value for name, value in self.__dict__.items() if not name.startswith("_")}
        return {"type": type(self).__name__, "fields": fields}

    @staticmethod
    def from_json(data: dict[str, Any]) -> "LightflowException":
        """The error again; one that this release does not know comes back as the base, with its message."""
        import lightflow.core.errors as family

        cls = getattr(family, data["type"], None)
        fields = {name: tuple(value) if isinstance(value, list) else value for name, value in data["fields"].items()}
        if isinstance(cls, type) and issubclass(cls, LightflowException):
            return rebuild(cls, fields)
        return LightflowException(f"{data['type']}: {fields.get('message', '')}")


def rebuild(cls: type[LightflowException], state: dict[str, Any]) -> LightflowException:
    """An instance of that class with those fields, without running its constructor."""
    error = cls.__new__(cls)
    error.__dict__.update(state)
    error.args = (error.message,)
    return error
