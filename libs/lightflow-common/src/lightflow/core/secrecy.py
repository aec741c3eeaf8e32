"""What of the configuration may be shown: never a password."""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from lightflow.core.errors import ConfigFieldError

_SECRET = re.compile(r"passw|passphrase|secret|token|credential|api_?key|authMechanismProperties", re.IGNORECASE)
_USER = re.compile(r"(://)(?:([^:/@\s]*:)\S*|[^:/@\s]+)@")
_OPTION = re.compile(rf"([?&][^=&\s]*(?:{_SECRET.pattern})[^=&\s]*=)[^&\s]+", re.IGNORECASE)


def masked(value: Any, key: str = "") -> Any:
    """The settings fit for showing: secrets are starred, also in addresses; a lone user may be a token and is, too."""
    if isinstance(value, Mapping):
        return {name: masked(item, str(name)) for name, item in value.items()}
    if isinstance(value, list):
        return [masked(item, key) for item in value]
    if value and _SECRET.search(key):
        return "***"
    return _OPTION.sub(r"\1***", _USER.sub(r"\1\2***@", value)) if isinstance(value, str) else value


def check_addresses(settings: Mapping[str, Any]) -> None:
    """Raise ConfigFieldError for a redis URL that cannot be taken apart, without its text: it may hold a password."""
    for section, key in (("signal", "uri"), ("celery", "broker_url")):
        url = settings[section].get(key)
        try:
            if isinstance(url, str) and url.startswith(("redis://", "rediss://")):
                urlsplit(url).port  # noqa: B018 (asking is what checks it)
        except ValueError:
            reason = "is malformed; in its password write what is special as in %2F for /"
            raise ConfigFieldError(f"{section}.{key} {reason}") from None
