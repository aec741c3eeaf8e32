"""Errors of the configuration."""

from lightflow.core.exception import LightflowException, with_fields
from lightflow.core.nearest import hint


class ConfigLoadError(LightflowException):
    """The configuration cannot be read."""

    template = "The configuration cannot be read."


class ConfigOverwriteError(LightflowException):
    """Writing would replace a configuration that exists."""

    template = "The configuration file exists already."


class ConfigNotDefinedError(LightflowException):
    """A configuration is needed and none was given."""

    template = "No configuration is loaded; load one with Config.from_file() or Config().load_from_dict({})."


class ConfigFieldError(LightflowException):
    """A field of the configuration is missing or has a wrong value."""

    template = "A field of the configuration is missing or wrong."


@with_fields
class ConfigFieldUnknown(ConfigFieldError):
    """A key that no section knows; `known` are the keys of that place."""

    name: str
    known: tuple[str, ...] = ()
    source: str = "the configuration"
    template = "{self.source} has the unknown key {self.name!r}{self.hint}"

    @property
    def hint(self) -> str:
        prefix, _, key = self.name.rpartition(".")
        return hint(key, (known.removeprefix(f"{prefix}.") for known in self.known))
