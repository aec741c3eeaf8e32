"""A connection to the system that a configuration means."""

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


def connected(config: "Config") -> ControlClient:
    """A client of the control service that this configuration leads to; raises NoControlService."""
    return ControlClient(find_target(None, config, data_dir()))
