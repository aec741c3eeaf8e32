"""What there is to tell about a process, and whether it is still the same one."""

import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class ProcessInfo:
    """One supervised process; `state` is starting, running, restarting or stopped. `born` tells a reused pid."""

    service: str
    name: str
    pid: int | None
    state: str
    restarts: int
    born: str | None = None


def is_alive(pid: int | None, born: str | None) -> bool:
    """Whether this very process still runs."""
    return pid is not None and born is not None and birth(pid) == born


def birth(pid: int) -> str | None:
    """When a process was started, in the system's own words; None once it has ended."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):  # the second where it ends while it is read
        return None if Path("/proc/self").exists() else birth_from_ps(pid)
    state, *rest = status.rpartition(")")[2].split()
    return None if state in "ZX" else rest[18]


def birth_from_ps(pid: int) -> str | None:
    """The same where there is no /proc."""
    listing = subprocess.run(["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return listing.stdout.strip() or None
