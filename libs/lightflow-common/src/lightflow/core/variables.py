"""The environment variables of Lightflow: which there are, and what an unknown one was meant to be. No files."""

import re
from collections.abc import Mapping
from typing import Final

from lightflow.core import settings
from lightflow.core.errors import ConfigFieldError
from lightflow.core.nearest import nearest

BROKER: Final = "LIGHTFLOW_BROKER_URL"

SETTINGS: Final = frozenset(
    [
        *(f"LIGHTFLOW_{section}_{key}".upper() for section, keys in settings.SECTIONS.items() for key in keys),
        *(f"LIGHTFLOW_{name}".upper() for name in (*settings.FOLDERS, *settings.FREE)),
        BROKER,
    ]
)
"""Those that set something of the configuration."""

FILES: Final = {f"{name}_FILE": name for name in sorted(SETTINGS) if f"{name}_FILE" not in SETTINGS}
"""Those that name a file which holds the value of a setting, with the variable whose place they take."""

PROCESS: Final = frozenset(
    f"LIGHTFLOW_{name}"
    for name in (
        *("CONFIG", "DATA_DIR", "DEBUG", "ECHO", "FAILPOINTS", "HEALTH_FILE"),
        *("QUEUES", "READY_FD", "TARGET", "WORKER_MARKER"),
    )
)
"""Those that say something about one process."""

# What Kubernetes tells every container about a Service whose name begins with lightflow.
_KUBERNETES = re.compile(r"_SERVICE_(HOST|PORT)(_\w+)?$|_PORT(_\d+_(TCP|UDP|SCTP)(_PROTO|_PORT|_ADDR)?)?$")


def unknown(environ: Mapping[str, str]) -> list[str]:
    """What to say about each variable that looks like one of Lightflow's and is none."""
    known = SETTINGS | FILES.keys() | PROCESS
    found = []
    for name in sorted(environ):
        if name.startswith("LIGHTFLOW_") and name not in known and not _KUBERNETES.search(name):
            meant = nearest(name, known)
            found.append(f"{name} is not known and has no effect" + (f"; did you mean {meant}?" if meant else ""))
    return found


def given_files(environ: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """For each variable that names a file: the variable that its content stands for, and the path.

    Raises ConfigFieldError where both are set.
    """
    found = {}
    for name, setting in FILES.items():
        if path := environ.get(name):
            if setting in environ:
                raise ConfigFieldError(f"{setting} and {name} are both set; leave one of them out")
            found[name] = (setting, path)
    return found
