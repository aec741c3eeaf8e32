"""What a person does to a system while a failpoint waits, so that every step is reached by something."""

import os
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.e2e.support import PATIENCE
from tests.failpoints.flow import LARGE

from lightflow.client import Client, Run
from lightflow.core.errors import LightflowException, NoControlService, NoWorkerAvailable, ServiceUnavailable
from lightflow.core.states import State
from lightflow.local.stack import Stack
from lightflow.runtime.rpc.client import ControlClient
from lightflow.runtime.rpc.targets import find_target

AWAY = (NoControlService, ServiceUnavailable, NoWorkerAvailable)
LOOK_AGAIN = threading.Event()
SIZE = 5
CROWD = 10
FLOW = Path(__file__).with_name("flow.py")
STATES = {"begin": "succeeded", "again": "succeeded", "skipped": "skipped", "stop": "stopped", "end": "succeeded"}


@dataclass
class Scene:
    """The system, and what is done to it."""

    stack: Stack

    def ordinary(self, file: Path = FLOW) -> None:
        """A file is uploaded and runs to its end; everything about it is as without a fault."""
        with self._client() as client:
            run = self._persistently(lambda: client.start(file, size=SIZE))
            self._ends_well(client, run)

    def crowded(self) -> None:
        """The same for many at once, so that a worker finds more than it can begin."""
        with self._client() as client:
            runs = [self._persistently(lambda: client.start(FLOW, size=SIZE)) for _ in range(CROWD)]
            for run in runs:
                self._ends_well(client, run)

    def changed(self) -> None:
        """The file is one that nobody has started before."""
        with TemporaryDirectory() as folder:
            file = Path(folder) / FLOW.name
            file.write_text(f"{FLOW.read_text()}# {folder}\n")
            self.ordinary(file)

    def stopped(self) -> None:
        """A run is stopped, and ends stopped or had ended before."""
        with self._client() as client:
            run = self._persistently(lambda: client.start(FLOW, size=SIZE, pause=1.0))
            self._process_of(run)  # it has begun
            self._persistently(run.stop)
            assert self._persistently(lambda: run.wait(PATIENCE)) in (State.STOPPED, State.SUCCEEDED)

    def deployed(self) -> None:
        """A version is deployed, started, and taken back."""
        self._control(lambda control: control.deploy_workflow("flow"))
        with self._client() as client:
            run = self._persistently(lambda: client.start("flow", size=SIZE))
            self._ends_well(client, run)
        self._control(lambda control: control.undeploy_workflow("flow"), or_already=True)

    def pruned(self) -> None:
        """What ended is removed."""
        self.ordinary()
        self._control(lambda control: control.prune(timedelta(0)))
        with self._client() as client:
            assert not self._persistently(lambda: list(client.runs()))

    def killed(self) -> None:
        """A task worker dies under its tasks, and another takes over."""
        with self._client() as client:
            run = self._persistently(lambda: client.start(FLOW, size=SIZE, pause=2.0))
            os.kill(self._process_of(run), signal.SIGKILL)
            self._ends_well(client, run)

    def restarted(self) -> None:
        """A service is told to stop, and comes back."""
        for name in ("scheduler", "dag-runner", "task-worker"):
            pid = self.stack.process(name).pid
            if pid is not None:
                os.kill(pid, signal.SIGTERM)
        self.ordinary()

    def _ends_well(self, client: Client, run: Run) -> None:
        state = self._persistently(lambda: run.wait(PATIENCE))
        assert state is State.SUCCEEDED, f"run {run.id} is {state}: {run.error}"
        total = self._persistently(lambda: run.result("end"))["sum"]
        assert total == sum(range(SIZE)) + LARGE
        tasks = self._control(lambda control: list(control.list_tasks(run.id)))
        states = {task.name: task.state for task in tasks if task.dag == "main:1"}
        assert states == STATES
        assert {task.state for task in tasks if task.dag.startswith("below")} == {"succeeded"}

    def _process_of(self, run: Run) -> int:
        """The worker that runs the first task."""
        while True:
            for task in self._control(lambda control: list(control.list_tasks(run.id))):
                if task.state == "running":
                    return int(self.stack.process(task.worker.partition("@")[0].removesuffix("-1")).pid or 0)
            LOOK_AGAIN.wait(0.05)

    def _client(self) -> Client:
        client: Client = self._persistently(lambda: Client(config=None, target=self._target()))
        return client

    def _target(self) -> str:
        return find_target(None, None, self.stack.data_dir)

    def _control(self, ask: Callable[[ControlClient], Any], or_already: bool = False) -> Any:
        def once() -> Any:
            with ControlClient(self._target()) as control:
                return ask(control)

        try:
            return self._persistently(once)
        except LightflowException:
            if not or_already:
                raise
            return None

    @staticmethod
    def _persistently(ask: Callable[[], Any]) -> Any:
        """A person who tries again while nobody answers."""
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                return ask()
            except LightflowException as error:
                if not isinstance(error, AWAY) or time.monotonic() > deadline:
                    raise
                LOOK_AGAIN.wait(0.05)
