"""Which system is meant: by what somebody configured, and by the folder that they are in."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from lightflow.runtime.rpc.client import ControlClient
from lightflow.runtime.rpc.targets import find_target

if TYPE_CHECKING:
    from lightflow.config import Config


def data_dir() -> Path:
    """The folder in which a stack on this machine is looked for."""
    return Path(os.environ.get("LIGHTFLOW_DATA_DIR") or ".lightflow")


def written_config(file: Path | None = None) -> "Config | None":
    """The configuration of that file, else the one that is found; None, and nothing slow imported, where nobody wrote
    one."""
    if file is None and not _is_configured():
        return None
    from lightflow.config import Config

    return Config.from_file(str(file) if file else None, strict=False)


def _is_configured() -> bool:
    """Whether a configuration file is where Config looks for one, or the environment names a store or a service."""
    if any(name == "LIGHTFLOW_CONFIG" or name.startswith(_SECTIONS) for name in os.environ):
        return True
    return any((folder / "lightflow.cfg").is_file() for folder in (Path.cwd(), Path("~").expanduser()))


_SECTIONS = ("LIGHTFLOW_STORE_", "LIGHTFLOW_CONTROL_")


def connected(config: "Config") -> ControlClient:
    """A client of the control service that this configuration leads to; raises NoControlService."""
    return ControlClient(find_target(None, config, data_dir()))
