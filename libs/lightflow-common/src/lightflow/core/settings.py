"""The rules of the configuration: which settings there are, how layers merge, what the environment adds. No files."""

import json
import os
from collections.abc import Iterable, Mapping
from copy import deepcopy
from typing import Any

from lightflow.core.errors import ConfigFieldError, ConfigFieldUnknown
from lightflow.core.secrecy import masked

Settings = dict[str, Any]

_TIMES = (
    "load_timeout",
    "stop_grace",
    "shutdown_grace",
    "lease_interval",
    "lease_timeout",
    "self_fence",
    "sweep_interval",
    "retention_days",
)
_COUNTS = ("task_slots", "join_cap", "hint_bound", "max_deaths", "max_losses", "log_limit")
SECTIONS: dict[str, dict[str, type]] = {
    "signal": {"uri": str, "host": str, "port": int, "password": str, "database": int, "polling_time": float},
    "store": {
        **dict.fromkeys(("uri", "host", "database", "username", "password", "auth_source", "auth_mechanism"), str),
        "port": int,
        "connect_timeout": int,
    },
    "control": {"host": str, "port": int, "socket": str, "advertise": str, "target": str},
    "engine": {
        **dict.fromkeys(_TIMES, float),
        **dict.fromkeys(_COUNTS, int),
        **dict.fromkeys(("worker_name", "signing_key_file", "cache_dir"), str),
    },
    "graph": {"workflow_polling_time": float, "dag_polling_time": float},
    "cli": {"time_format": str},
}
"""The sections whose keys are known, with the type of each value."""

FOLDERS = ("workflows", "libraries")
FREE = ("celery", "logging", "extensions")
PATHS = (("control", "socket"), ("engine", "signing_key_file"), ("engine", "cache_dir"))

CELERY_FIXED = frozenset(
    [
        "accept_content",
        "broker_connection_max_retries",
        "enable_utc",
        "event_queue_expires",
        "imports",
        "include",
        "result_backend",
        "result_expires",
        "result_serializer",
        "task_acks_late",
        "task_create_missing_queues",
        "task_default_queue",
        "task_ignore_result",
        "task_queues",
        "task_reject_on_worker_lost",
        "task_routes",
        "task_serializer",
        "timezone",
        "worker_pool",
        "worker_prefetch_multiplier",
        "worker_send_task_events",
    ]
)
"""Celery settings that the design decides."""

MEANINGLESS = (
    ("signal", "polling_time"),
    ("store", "connect_timeout"),
    ("graph", "workflow_polling_time"),
    ("graph", "dag_polling_time"),
)
"""Settings of older files that the design has an answer of its own to."""


def merge(low: Mapping[str, Any], high: Mapping[str, Any]) -> Settings:
    """`high` laid over `low`: mappings merge, anything else replaces; an empty section of `high` says nothing."""
    result = dict(deepcopy(dict(low)))
    for key, value in high.items():
        below = result.get(key)
        if isinstance(below, dict) and isinstance(value, Mapping):
            result[key] = merge(below, value)
        elif not (isinstance(below, dict) and value is None):
            result[key] = deepcopy(value)
    return result


def expand(value: Any) -> Any:
    """The value with ~ and $VARIABLES in its texts replaced, at any depth."""
    if isinstance(value, str):
        return os.path.expanduser(os.path.expandvars(value))  # noqa: PTH111 (also for texts that are no paths)
    if isinstance(value, Mapping):
        return {key: expand(item) for key, item in value.items()}
    if isinstance(value, list):
        return [expand(item) for item in value]
    return value


def checked(given: object, source: str) -> Settings:
    """What somebody wrote, values as the types they must have.

    Raises ConfigFieldUnknown for an unknown key, ConfigFieldError for a wrong value; both name `source`.
    """
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        raise ConfigFieldError(f"{source} holds no sections; write them as `name:` with indented settings below")
    _known(given, (*FOLDERS, *FREE, *SECTIONS), "", source)
    return {name: _section(name, value, source) for name, value in given.items()}


def overrides(environ: Mapping[str, str]) -> Settings:
    """What the environment sets: LIGHTFLOW_<SECTION>_<KEY>, LIGHTFLOW_BROKER_URL, folders, free sections as JSON."""
    found: Settings = {}
    for section, keys in SECTIONS.items():
        for key, kind in keys.items():
            name = f"LIGHTFLOW_{section}_{key}".upper()
            # Kubernetes sets such a variable by itself for a service that is called lightflow-control
            if name in environ and not (kind is int and environ[name].startswith("tcp://")):
                found.setdefault(section, {})[key] = _typed(environ[name], kind, name)
    for section in FREE:
        if text := environ.get(name := f"LIGHTFLOW_{section}".upper()):
            found[section] = _object(text, name)
    if (broker := environ.get("LIGHTFLOW_BROKER_URL")) is not None:
        found.setdefault("celery", {})["broker_url"] = broker or None
    for name in FOLDERS:
        if folders := environ.get(f"LIGHTFLOW_{name}".upper()):
            found[name] = [folder for folder in folders.split(os.pathsep) if folder]
    return found


def without_meaning(settings: Mapping[str, Any]) -> list[str]:
    """The settings, as section.key, that are accepted and have no effect."""
    idle = [f"{section}.{key}" for section, key in MEANINGLESS if key in (settings.get(section) or {})]
    return idle + [f"celery.{key}" for key in settings.get("celery") or {} if key in CELERY_FIXED]


def _known(given: Mapping[Any, Any], known: Iterable[str], prefix: str, source: str) -> None:
    for key in given:
        if key not in (names := tuple(known)):
            raise ConfigFieldUnknown(f"{prefix}{key}", tuple(f"{prefix}{name}" for name in names), source)


def _section(name: str, value: Any, source: str) -> Any:
    if name in FOLDERS:
        return _folders(name, value, source)
    if value is not None and not isinstance(value, Mapping):
        raise ConfigFieldError(f"{source}: {name} is a section; write its settings below it, indented, as `key: value`")
    if name in FREE or value is None:
        return value
    _known(value, SECTIONS[name], f"{name}.", source)
    return {key: _typed(item, SECTIONS[name][key], f"{source}: {name}.{key}") for key, item in value.items()}


def _folders(name: str, value: Any, source: str) -> list[str]:
    folders = [value] if isinstance(value, str) else value or []
    if not isinstance(folders, list) or not all(isinstance(folder, str) for folder in folders):
        raise ConfigFieldError(f"{source}: {name} is a list of folders, not {value!r}")
    return folders


def _object(text: str, where: str) -> Settings:
    try:
        value = json.loads(text)
    except ValueError as error:
        raise ConfigFieldError(f"{where} is no JSON: {error}") from None
    if not isinstance(value, dict):
        raise ConfigFieldError(f"{where} is a JSON object of settings, not a {type(value).__name__}")
    return value


def _typed(value: Any, kind: type, where: str) -> Any:
    if value is None or (kind is not str and value == ""):
        return None
    try:
        if isinstance(value, bool | list | dict):
            raise ValueError
        if kind is int and isinstance(value, float) and not value.is_integer():
            raise ValueError
        return kind(value)
    except ValueError:
        wanted = {int: "a whole number", float: "a number", str: "text"}[kind]
        raise ConfigFieldError(f"{where} is {wanted}, not {masked(value, where)!r}") from None
