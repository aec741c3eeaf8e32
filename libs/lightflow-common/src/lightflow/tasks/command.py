"""What to run in a shell, and how it is started."""

import os
import subprocess
import threading
from collections.abc import Mapping
from dataclasses import dataclass

from lightflow.core.errors import InvalidRequest

MARKER = "LIGHTFLOW_WORKER_MARKER"
"""By this variable a restarting worker finds what an earlier one left behind; it must outlive a changed environment."""


@dataclass(frozen=True, slots=True)
class Command:
    """What to run: the text for the shell, and its surroundings. `user` and `group` are numeric ids."""

    text: str
    cwd: str | None = None
    env: Mapping[str, str] | None = None
    user: int | None = None
    group: int | None = None
    stdin: str | bytes | None = None

    def __post_init__(self) -> None:
        # A list is what a shell takes, too: the text and its arguments.
        if not isinstance(self.text, str | bytes | os.PathLike | list | tuple):
            raise InvalidRequest("command", f"it is a {type(self.text).__name__}, not a text")
        if not isinstance(self.stdin, str | bytes | bytearray | memoryview | None):
            raise InvalidRequest("stdin", f"it is a {type(self.stdin).__name__}, neither text nor bytes")
        for name, value in (self.env or {}).items():
            if not isinstance(value, str | bytes | os.PathLike):
                raise InvalidRequest("env", f"{name} is a {type(value).__name__}, not a text")

    @property
    def input(self) -> bytes:
        """What the command reads."""
        return self.stdin.encode() if isinstance(self.stdin, str) else self.stdin or b""


def start(command: Command, stdout: bool, stderr: bool) -> tuple[subprocess.Popen[bytes], int]:
    """The process, and its tether: a descriptor that reads as ended once no process of the group is left."""
    changes_user = command.user is not None and os.geteuid() == 0
    tether, held = os.pipe()
    try:
        process = subprocess.Popen(  # noqa: S602 (a shell running what the workflow's author wrote is what this is for)
            command.text,
            shell=True,
            cwd=command.cwd,
            env=_environment(command.env),
            user=command.user,
            group=command.group,
            extra_groups=[] if changes_user else None,  # the worker's other groups are not for another user
            stdin=subprocess.DEVNULL if command.stdin is None else subprocess.PIPE,
            stdout=subprocess.PIPE if stdout else None,
            stderr=subprocess.PIPE if stderr else None,
            bufsize=0,
            process_group=0,
            pass_fds=(held,),
        )
    except BaseException:
        os.close(tether)
        raise
    finally:
        os.close(held)
    return process, tether


def _environment(env: Mapping[str, str] | None) -> dict[str, str] | None:
    if env is None:
        return None
    marker = os.environ.get(MARKER)
    return {**env, MARKER: marker} if marker else dict(env)


def exit_descriptor(process: subprocess.Popen[bytes]) -> int:
    """A file descriptor that turns readable when the process ends."""
    try:
        return os.pidfd_open(process.pid)
    except (AttributeError, OSError):  # not Linux, or a sandbox without it: a thread waits
        readable, writable = os.pipe()

        def wait() -> None:
            process.wait()
            os.close(writable)

        threading.Thread(target=wait, daemon=True).start()
        return readable
