"""Where a stack keeps its things: files in the data dir, sockets in a short private folder elsewhere."""

import hashlib
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from lightflow.runtime.folders import make_private

# A socket's path may have about 107 bytes; the longest name in the folder takes some 20 of them.
LONGEST_FOLDER = 80


@dataclass(frozen=True, slots=True)
class Places:
    """The files of one stack; `data_dir` and `sockets` are absolute."""

    data_dir: Path
    sockets: Path

    @classmethod
    def of(cls, data_dir: Path) -> "Places":
        """The places of the stack in this data dir; nothing is created."""
        absolute = data_dir.expanduser().resolve()
        return cls(absolute, sockets_folder(absolute, Path(tempfile.gettempdir()), os.getuid()))

    def create(self) -> None:
        """Make both folders; raises FolderUnsafe when that of the sockets is not ours alone."""
        self.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.logs.mkdir(mode=0o700, exist_ok=True)
        make_private(self.sockets)

    @property
    def config(self) -> Path:
        return self.data_dir / "lightflow.cfg"

    @property
    def state(self) -> Path:
        return self.data_dir / "stack.json"

    @property
    def lock(self) -> Path:
        return self.data_dir / "stack.lock"

    @property
    def logs(self) -> Path:
        return self.data_dir / "logs"

    @property
    def signing_key(self) -> Path:
        return self.data_dir / "signing.key"

    @property
    def cache(self) -> Path:
        return self.data_dir / "cache"

    @property
    def redis_data(self) -> Path:
        return self.data_dir / "redis"

    @property
    def mongod_data(self) -> Path:
        return self.data_dir / "mongod"

    @property
    def libraries(self) -> Path:
        return self.data_dir / "libraries"

    @property
    def redis_socket(self) -> Path:
        return self.sockets / "redis.sock"

    @property
    def mongod_socket(self) -> Path:
        return self.sockets / "mongod.sock"

    def control_socket(self, replica: int = 1) -> Path:
        """Where the control service of the scheduler's n-th replica listens, counted from 1."""
        return self.sockets / f"{replica_name('control', replica)}.sock"

    def log(self, name: str) -> Path:
        """The log of the process of that name."""
        return self.logs / f"{name}.log"


def replica_name(name: str, replica: int) -> str:
    """The plain name for the first replica, `name-n` for the others."""
    return name if replica == 1 else f"{name}-{replica}"


def sockets_folder(data_dir: Path, temporary: Path, user: int) -> Path:
    """The folder for the sockets of a data dir: short, and the same at each start.

    Not in $XDG_RUNTIME_DIR: that one is removed when the user logs out, and a detached stack goes on.
    """
    digest = hashlib.sha256(os.fsencode(data_dir)).hexdigest()[:12]
    folder = temporary / f"lf-{user}-{digest}"
    return folder if len(os.fsencode(folder)) <= LONGEST_FOLDER else Path("/tmp") / folder.name  # noqa: S108
