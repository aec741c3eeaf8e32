"""Lightflow: workflows as plain Python files. Importing this costs nearly nothing; names load when they are used."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lightflow.config import Config, default_config

__all__ = ["Config", "__version__", "default_config"]
__version__ = "2.0.0"
"""The release, as `major.minor.patch`."""


def __getattr__(name: str) -> Any:
    if name not in ("Config", "default_config"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import lightflow.config

    return getattr(lightflow.config, name)
