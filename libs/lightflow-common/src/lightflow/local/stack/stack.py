"""`Stack`: an embedded stack as others use it, held together by a process of its own."""

import json
import os
import pickle
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from lightflow.core.errors import LightflowException
from lightflow.local.stack.errors import StackNotRunning, StackRunning
from lightflow.local.stack.options import StackOptions
from lightflow.local.stack.places import Places
from lightflow.local.stack.record import StackInfo, find, wait_unlocked
from lightflow.runtime.supervision.errors import ProcessNotReady
from lightflow.runtime.supervision.living import ProcessInfo
from lightflow.runtime.supervision.processes import open_log, tail

MODULE = "lightflow.local.stack"


class Stack:
    """A running stack. Detached it goes on when this process ends, otherwise it ends with it."""

    def __init__(self, data_dir: Path, process: "subprocess.Popen[bytes]") -> None:
        self.data_dir = data_dir
        self._process = process
        self.target = self.info.target

    @classmethod
    def start(
        cls,
        data_dir: str | Path,
        *,
        workflows: tuple[str, ...] = (),
        task_slots: int | None = None,
        replicas: dict[str, int] | None = None,
        queues: dict[str, tuple[str, ...]] | None = None,
        config: str | None = None,
        detach: bool = True,
    ) -> Self:
        """Bring a stack up and wait until it is ready.

        Raises StackOptionInvalid, StackRunning, and ProcessNotReady with the end of the log of what does not come up.
        """
        options = StackOptions(str(data_dir), workflows, task_slots, replicas or {}, queues or {}, config)
        options.check()
        places = Places.of(Path(data_dir))
        if find(places.data_dir) is not None:
            raise StackRunning(str(places.data_dir))
        places.create()
        process, error = launch(options, places, detach)
        if error is not None:
            process.wait()
            raise error
        return cls(places.data_dir, process)

    @classmethod
    @contextmanager
    def temporary(cls, data_dir: str | Path | None = None, **options: Any) -> Iterator[Self]:
        """A stack for as long as the block lasts; without a data dir, in one that is gone afterwards.

        `options` are those of `start`.
        """
        folder = Path(tempfile.mkdtemp(prefix="lf-")) if data_dir is None else Path(data_dir)
        stack = cls.start(folder, **options, detach=False)  # when it fails the folder stays, with the logs to look at
        try:
            yield stack
        finally:
            stack.stop()
            if data_dir is None:
                shutil.rmtree(folder)

    @property
    def info(self) -> StackInfo:
        """What the stack is made of right now; raises StackNotRunning."""
        if (info := find(self.data_dir)) is None:
            raise StackNotRunning(str(self.data_dir))
        return info

    def process(self, name: str) -> ProcessInfo:
        """One of its processes right now: `mongod`, `scheduler`, `task-worker-2`, ..."""
        return self.info.process(name)

    def stop(self, *, now: bool = False) -> None:
        """Bring the stack down and wait until nothing of it is left; `now` cuts the graces short."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGQUIT if now else signal.SIGTERM)
            self._process.wait()
        if self._process.stdin is not None:
            self._process.stdin.close()


def stop(data_dir: str | Path, *, now: bool = False) -> None:
    """Bring the stack of a data dir down and wait until nothing of it is left; raises StackNotRunning."""
    if (info := find(Path(data_dir))) is None:
        raise StackNotRunning(str(data_dir))
    os.kill(info.pid, signal.SIGQUIT if now else signal.SIGTERM)
    wait_unlocked(Places.of(Path(data_dir)))


def launch(
    options: StackOptions, places: Places, detach: bool
) -> "tuple[subprocess.Popen[bytes], LightflowException | None]":
    """Start the process that holds the stack together and wait until the stack is ready; gives it and what is wrong."""
    reader, writer = os.pipe()
    command = [sys.executable, "-P", "-m", MODULE, json.dumps(options.to_json()), str(writer)]
    with os.fdopen(reader, "rb") as report, open_log(places.log("supervisor")) as log:
        try:
            process = subprocess.Popen(
                command if detach else [*command, "--lifeline"],
                stdin=subprocess.DEVNULL if detach else subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                pass_fds=(writer,),
                start_new_session=True,
            )
        finally:
            os.close(writer)
        answer = report.read()
    if not answer:
        log_file = places.log("supervisor")
        return process, ProcessNotReady("supervisor", "ended", str(log_file), tail(log_file))
    return process, pickle.loads(answer)  # noqa: S301 - from a process that was started right here
