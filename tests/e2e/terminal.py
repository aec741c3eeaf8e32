"""A terminal, for tests that type commands and watch what goes on running."""

import os
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

PATIENCE = 60.0


@dataclass
class Terminal:
    """A terminal in a folder; nothing of another system is in its environment, `variables` are."""

    folder: Path
    variables: dict[str, str] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        own = {name: value for name, value in os.environ.items() if not name.startswith("LIGHTFLOW_")}
        return {**own, "HOME": str(self.folder), "TMPDIR": str(self.folder), **self.variables}

    def type(self, command: str) -> str:
        """What a command prints; it must succeed."""
        done = subprocess.run(
            _words(command),
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def leave_running(self, command: str) -> AbstractContextManager["Shown"]:
        """A command that runs until the block ends, by Ctrl-C; then it must end well."""
        return self.running(_words(command))

    @contextmanager
    def running(self, words: list[str]) -> Iterator["Shown"]:
        """A program that runs until the block ends, by Ctrl-C; then it must end well."""
        process = subprocess.Popen(
            words,
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            bufsize=0,
        )
        shown = Shown(process)
        try:
            yield shown
        finally:
            try:
                if process.poll() is None:
                    process.send_signal(signal.SIGINT)
                shown.end()
            finally:
                process.kill()
                process.wait()


class Shown:
    """What a command that runs has printed."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self.process = process
        self.text = ""

    def until(self, pattern: str) -> "re.Match[str]":
        """Wait until it has printed this."""
        deadline = time.monotonic() + PATIENCE
        while (match := re.search(pattern, self.text, re.MULTILINE)) is None:
            assert self._read(deadline), f"it ended after\n{self.text}"
        return match

    def end(self) -> None:
        """Wait until it has ended, well."""
        deadline = time.monotonic() + PATIENCE
        while self._read(deadline):
            pass
        assert self.process.wait(PATIENCE) == 0, self.text

    def _read(self, deadline: float) -> bool:
        assert self.process.stdout is not None
        ready, _, _ = select.select([self.process.stdout], [], [], max(deadline - time.monotonic(), 0))
        assert ready, f"nothing follows\n{self.text}"
        piece = os.read(self.process.stdout.fileno(), 65536)
        self.text += piece.decode()
        return bool(piece)


def _words(command: str) -> list[str]:
    program, *arguments = command.split()
    return [str(Path(sys.executable).with_name(program)), *arguments]
