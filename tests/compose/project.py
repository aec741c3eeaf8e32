"""A compose project of this repository's deploy/compose.yaml, with a name, a port, secrets and workflows of its own."""

import json
import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

ROOT = Path(__file__).parents[2]
FILE = ROOT / "deploy/compose.yaml"
SERVICES = ("scheduler", "dag-runner", "task-worker")
ALL = os.environ.get("LIGHTFLOW_COMPOSE") == "all"
"""Whether the long form was asked for (`make test-compose`): it fails where the short one, of `make test`, skips."""

TAG = "test"
PATIENCE = 240.0

Value = TypeVar("Value")


def until(condition: Callable[[], Value], what: Callable[[], object] = str, within: float = PATIENCE) -> Value:
    """Wait until a condition holds and give what it gave; `what` tells what is wrong when it does not in time."""
    deadline = time.monotonic() + within
    while not (found := condition()):
        assert time.monotonic() < deadline, f"not within {within:g} s: {what()}"
        time.sleep(0.2)  # what is waited for is told by nobody
    return found


def docker(*words: str, timeout: float = PATIENCE, check: bool = True, **environment: str) -> str:
    """What a command of docker prints; what it complains of, where it fails."""
    ran = subprocess.run(
        ["docker", *words],
        cwd=ROOT,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    assert not check or ran.returncode == 0, f"docker {' '.join(words)}\n{ran.stdout}{ran.stderr}"
    return ran.stdout


def bases() -> list[str]:
    """The public images that the Dockerfiles and deploy/compose.yaml stand on."""
    found = {
        re.findall(r"^ARG BASE=(\S+)", (ROOT / f"services/{one}/Dockerfile").read_text(), re.M)[0] for one in SERVICES
    }
    return sorted(found | set(re.findall(r"_IMAGE:-((?:redis|mongo):[^}]+)\}", FILE.read_text())))


def missing() -> str:
    """Why there can be no project here; empty when there can."""
    if shutil.which("docker") is None:
        return "there is no docker"
    try:
        for words in (("info",), ("compose", "version")):
            docker(*words, timeout=20)
        for image in bases():
            if not docker("image", "ls", "-q", image, timeout=20):
                docker("pull", "-q", image, timeout=180 if ALL else 60)
        # Nothing of this repository yet, but the packages that it stands on.
        docker("build", "-q", "--target", "dependencies", "-f", "services/scheduler/Dockerfile", ".", timeout=600)
    except (AssertionError, subprocess.TimeoutExpired) as error:
        return f"the container engine cannot be used: {' '.join(str(error).split())[:300]}"
    return ""


def build(tag: str, context: Path = ROOT) -> None:
    """Build the images of all services."""
    for service in SERVICES:
        name, file = f"lightflow-{service}:{tag}", str(context / f"services/{service}/Dockerfile")
        docker("build", "-q", "-t", name, "-f", file, str(context), timeout=600)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Project:
    """The project; `scale` keeps what was scaled, so that later commands do not undo it."""

    folder: Path
    name: str = field(default_factory=lambda: f"lightflow-test-{os.getpid()}")
    port: int = field(default_factory=free_port)
    scale: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.flows.mkdir()
        subprocess.run(["sh", ROOT / "deploy/secrets.sh", self.folder / "secrets"], check=True, capture_output=True)

    @property
    def flows(self) -> Path:
        return self.folder / "workflows"

    @property
    def target(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        return {
            "LIGHTFLOW_SECRETS": str(self.folder / "secrets"),
            "LIGHTFLOW_WORKFLOWS": str(self.flows),
            "LIGHTFLOW_CONTROL_PORT": str(self.port),
            "LIGHTFLOW_TAG": TAG,
            "DAG_RUNNER_QUEUES": "dag,slow_dags",
            "TASK_WORKER_QUEUES": "task,graphics",
        }

    def compose(self, *words: str, tag: str = TAG, timeout: float = PATIENCE, check: bool = True) -> str:
        environment = {**self.environment, "LIGHTFLOW_TAG": tag}
        return docker("compose", "-f", str(FILE), "-p", self.name, *words, timeout=timeout, check=check, **environment)

    def up(self, *services: str, tag: str = TAG, alone: bool = False) -> None:
        """Bring services up, all of them unless some are named, and wait until they are healthy."""
        scaled = {one: count for one, count in self.scale.items() if not services or one in services}
        scales = [word for one, count in scaled.items() for word in ("--scale", f"{one}={count}")]
        self.compose(*("up", "--wait", "--no-build", *scales, *(["--no-deps"] if alone else []), *services), tag=tag)

    def down(self) -> None:
        self.compose("down", "--volumes", "--remove-orphans", "--timeout", "5", check=False)

    def containers(self, service: str = "") -> list[str]:
        """Ids, those that do not run included."""
        return self.compose("ps", "-aq", *([service] if service else [])).split()

    def inspect(self, container: str) -> Any:
        return json.loads(docker("inspect", container))[0]

    def is_healthy(self, container: str) -> bool:
        state = self.inspect(container)["State"]
        return bool(state["Running"] and state["Health"]["Status"] == "healthy")

    def until_healthy(self, services: Sequence[str] = ()) -> None:
        wanted = [each for one in services or [""] for each in self.containers(one)]
        until(lambda: all(map(self.is_healthy, wanted)), lambda: self.compose("ps", "-a"))

    def leftovers(self) -> list[str]:
        """What of this project the engine still has."""
        label = f"label=com.docker.compose.project={self.name}"
        kinds = (("ps", "-aq"), ("network", "ls", "-q"), ("volume", "ls", "-q"))
        return [one for words in kinds for one in docker(*words, "--filter", label).split()]
