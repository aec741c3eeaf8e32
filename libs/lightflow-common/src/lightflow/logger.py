"""Loggers, and how the configuration sets them up."""

import logging
import re
from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any

__all__ = ["configure", "get_logger"]

_COLOUR = re.compile(r"%\((?:\w*log_color|reset|(?:\w*_)?(?:black|red|green|yellow|blue|purple|cyan|white))\)s")


def get_logger(name: str) -> logging.Logger:
    """The logger of that name, as `logging.getLogger` gives it; in a task its lines land in the task's log."""
    return logging.getLogger(name)


def configure(settings: Mapping[str, Any]) -> None:
    """Set logging up by `Config.logging`; raises ValueError for what `logging.config.dictConfig` does not take."""
    import logging.config

    logging.config.dictConfig(usable(settings))


def usable(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings without colours where the package that makes them is not installed: older files name it."""
    formatters = {name: _without_colours(dict(given)) for name, given in (settings.get("formatters") or {}).items()}
    return {"version": 1, **settings, "formatters": formatters}


def _without_colours(formatter: dict[str, Any]) -> dict[str, Any]:
    if not str(formatter.get("()", "")).startswith("colorlog.") or find_spec("colorlog") is not None:
        return formatter
    plain: dict[str, Any] = {key: formatter[key] for key in ("datefmt", "style") if key in formatter}
    return {**plain, "format": _COLOUR.sub("", str(formatter.get("format", "%(message)s")))}
