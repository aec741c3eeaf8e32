"""The configuration: a YAML file over the defaults, the environment over both.

`Config.from_file(None)` is how a program loads what the command lines would load.
"""

import logging
import os
import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar, Self

from lightflow.core import settings, variables
from lightflow.core.errors import ConfigFieldError, ConfigLoadError, ConfigNotDefinedError
from lightflow.core.secrecy import check_addresses, masked
from lightflow.core.settings import Settings

__all__ = ["LIGHTFLOW_CONFIG_ENV", "LIGHTFLOW_CONFIG_NAME", "Config", "default_config"]

LIGHTFLOW_CONFIG_ENV = "LIGHTFLOW_CONFIG"
"""The environment variable that names the file."""

LIGHTFLOW_CONFIG_NAME = "lightflow.cfg"
"""The name under which the file is looked for."""

default_config: str = (Path(__file__).parent / LIGHTFLOW_CONFIG_NAME).read_text(encoding="utf-8")
"""The default configuration, as commented YAML."""

_noted: set[str] = set()
_logger = logging.getLogger(__name__)


class Config:
    """The settings of a system: sections as dicts, each a copy.

    Empty until it is loaded: before that, every property raises ConfigNotDefinedError. The one that was loaded last
    in a process tells `Workflow.load` and `lightflow.local.run` where workflow files lie.
    """

    _loaded_last: ClassVar["Config | None"] = None

    def __init__(self) -> None:
        self._settings: Settings | None = None
        self.filename: str | None = None

    @classmethod
    def from_file(cls, filename: str | None, *, strict: bool = True) -> Self:
        """The configuration of that file; None looks for it. Takes and raises what `load_from_file` does."""
        config = cls()
        config.load_from_file(filename, strict=strict)
        return config

    def load_from_file(self, filename: str | None = None, *, strict: bool = True) -> None:
        """Load the file: the given one, else $LIGHTFLOW_CONFIG, else ./lightflow.cfg, else ~/lightflow.cfg.

        The environment (LIGHTFLOW_STORE_URI, LIGHTFLOW_STORE_URI_FILE and the like) is laid over it. When none exists
        the defaults hold, or with `strict` ConfigLoadError is raised, as it is for a file that cannot be read.
        Raises ConfigFieldUnknown and ConfigFieldError for what is wrong in it.
        """
        file = _find(filename, strict)
        self.filename = None if file is None else str(file)
        given = {} if file is None else settings.checked(settings.expand(_read(file)), str(file))
        self._set(given, from_environment(os.environ), Path.cwd() if file is None else file.parent)

    def load_from_dict(self, conf_dict: Mapping[str, Any] | None = None) -> None:
        """Load a dict of sections over the defaults; folders in it are relative to the current one.

        Neither a file nor the environment is asked. Raises ConfigFieldUnknown, ConfigFieldError.
        """
        self.filename = None
        self._set(settings.checked(settings.expand(conf_dict), "the configuration"), {}, Path.cwd())

    @staticmethod
    def default() -> str:
        """The default configuration, as commented YAML."""
        return default_config

    @classmethod
    def folders(cls) -> list[str]:
        """The workflow folders of the configuration that was loaded last in this process; none before that."""
        return [] if cls._loaded_last is None else cls._loaded_last.workflows

    @classmethod
    def library_folders(cls) -> list[str]:
        """The library folders of the configuration that was loaded last in this process; none before that."""
        return [] if cls._loaded_last is None else cls._loaded_last.libraries

    def to_dict(self) -> Settings:
        """A copy of all settings, secrets included."""
        return settings.merge(self._all, {})

    def shown(self) -> Settings:
        """A copy of all settings in which secrets are starred."""
        starred: Settings = masked(self._all)
        return starred

    @property
    def workflows(self) -> list[str]:
        """The workflow folders, absolute."""
        return list(self._all["workflows"])

    @property
    def libraries(self) -> list[str]:
        """The library folders, absolute."""
        return list(self._all["libraries"])

    @property
    def data_store(self) -> Settings:
        """The connection to MongoDB."""
        return self._section("store")

    @property
    def signal(self) -> Settings:
        """The connection to the redis that wakes who waits."""
        return self._section("signal")

    @property
    def celery(self) -> Settings:
        """What the file says about Celery."""
        return self._section("celery")

    @property
    def celery_settings(self) -> Settings:
        """The part of `celery` that Celery is to be given: without what the design decides."""
        left_out = settings.CELERY_FIXED | {"worker_concurrency"}
        return {key: value for key, value in self.celery.items() if key not in left_out}

    @property
    def control(self) -> Settings:
        """The control service and how to find it."""
        return self._section("control")

    @property
    def engine(self) -> Settings:
        """How the engine works; `task_slots` falls back on Celery's worker_concurrency."""
        engine = self._section("engine")
        if engine["task_slots"] is None:
            engine["task_slots"] = self._all["celery"].get("worker_concurrency")
        return engine

    @property
    def logging(self) -> Settings:
        """What is logged, for `lightflow.logger.configure`."""
        return self._section("logging")

    @property
    def cli(self) -> Settings:
        """The command line."""
        return self._section("cli")

    @property
    def extensions(self) -> Settings:
        """The settings of extensions, each under its name."""
        return self._section("extensions")

    def _section(self, name: str) -> Settings:
        return settings.merge(self._all[name], {})

    @property
    def _all(self) -> Settings:
        if self._settings is None:
            raise ConfigNotDefinedError
        return self._settings

    def _set(self, given: Settings, environment: Settings, folder: Path) -> None:
        over = settings.merge(given, environment)
        for name in set(settings.without_meaning(over)) - _noted:
            _noted.add(name)
            _logger.info("The setting %s has no effect any more and is ignored", name)
        everything = settings.merge(_defaults(), over)
        check_addresses(everything)
        for name in settings.FOLDERS:
            everything[name] = [_absolute(folder, path) for path in everything[name]]
        for section, key in settings.PATHS:
            if everything[section][key]:
                everything[section][key] = _absolute(folder, everything[section][key])
        self._settings = everything
        Config._loaded_last = self


def _absolute(folder: Path, path: str) -> str:
    return os.path.normpath(folder.absolute() / path)


def _find(filename: str | None, strict: bool) -> Path | None:
    named = filename or os.environ.get(LIGHTFLOW_CONFIG_ENV)
    if named:
        return Path(settings.expand(str(named)))
    places = [Path.cwd() / LIGHTFLOW_CONFIG_NAME, Path(settings.expand(f"~/{LIGHTFLOW_CONFIG_NAME}"))]
    found = next((place for place in places if place.is_file()), None)
    if found is None and strict:
        tried = f"${LIGHTFLOW_CONFIG_ENV}, {', '.join(map(str, places))}"
        raise ConfigLoadError(f"There is no configuration (tried {tried}); `lightflow config default .` writes one")
    return found


def from_environment(environ: Mapping[str, str]) -> Settings:
    """What the environment sets, by itself or by files that it names; raises ConfigFieldError."""
    read = {}
    for name, (setting, path) in variables.given_files(environ).items():
        try:
            read[setting] = Path(path).read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not a text file in UTF-8"
            raise ConfigFieldError(f"{name}: the file {path!r} cannot be read: {reason}") from None
    return settings.overrides({**environ, **read})


def _read(file: Path) -> object:
    try:
        return parse(file.read_text(encoding="utf-8"), str(file))
    except OSError as error:
        raise ConfigLoadError(f"The configuration {str(file)!r} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigLoadError(f"The configuration {str(file)!r} is not a text file in UTF-8: {error.reason}") from error


def parse(text: str, source: str) -> object:
    """The YAML as Python objects; raises ConfigLoadError with line and reason."""
    from ruamel.yaml import YAML  # slow to import
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    try:
        return YAML(typ="safe", pure=True).load(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        # A value that the file holds may be a password: only keys are repeated.
        problem = re.sub(
            r" with value .*|( alias| tag) '.*", r"\1 (put what begins with * or ! in quotes)", error.problem or ""
        )
        reason = " ".join(filter(None, (error.context, problem)))
        raise ConfigLoadError(f"{source}{place}: {reason}") from error
    except YAMLError as error:
        raise ConfigLoadError(f"{source}: {error}") from error


@lru_cache(maxsize=1)
def _defaults() -> Settings:
    return settings.checked(parse(default_config, "the default configuration"), "the default configuration")
