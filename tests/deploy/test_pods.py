"""The services, started as the pods of the manifests are: their environment, their files, their probes, their end."""

import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from pymongo import MongoClient
from tests.deploy.rendering import Object, Renderer, container, environment, named, of_kind, template
from tests.limits.support import until

from lightflow.client import Client

FLOW = """
from lightflow.models import Dag
from lightflow.tasks import PythonTask

main = Dag("main")
main.define({PythonTask("first", lambda data, store, signal, context: None): None})
"""


@dataclass
class Pod:
    """A process with what its manifest gives it; `folder` stands for the root of its file system."""

    manifest: Object
    folder: Path
    process: "subprocess.Popen[bytes]"
    environment: dict[str, str]

    def passes(self, probe: str) -> bool:
        """Whether a probe that is a command succeeds now."""
        command = container(self.manifest)[probe]["exec"]["command"]
        done = subprocess.run([sys.executable, *command[1:]], env=self.environment, capture_output=True, check=False)
        return done.returncode == 0

    def end(self) -> int:
        """What Kubernetes does: SIGTERM, and the grace; the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(template(self.manifest)["spec"]["terminationGracePeriodSeconds"])


def start(manifest: Object, folder: Path) -> Pod:
    """Start what the image's entry point starts; only its paths are moved below `folder`."""
    given = {name: value.replace("/etc/lightflow", str(folder)) for name, value in environment(manifest).items()}
    component = manifest["metadata"]["labels"]["app.kubernetes.io/component"]
    given |= {"LIGHTFLOW_HEALTH_FILE": str(folder / f"health-{component}"), "HOME": "/nonexistent"}
    given["PATH"] = os.environ["PATH"]
    module = f"lightflow_{component.replace('-', '_')}"
    process = subprocess.Popen([sys.executable, "-P", "-m", module], env=given, cwd="/")
    return Pod(manifest, folder, process, given)


@pytest.fixture
def pods(
    renderer: Renderer, tmp_path: Path, mongo_uri: str, redis_url: str, database_name: str
) -> Iterator[dict[str, Pod]]:
    """The three services of the chart, with the files of the configuration and the secret beside each other."""
    objects = renderer.chart(values={"config": {"store": {"database": database_name}}})
    (found,) = of_kind(objects, "ConfigMap")
    text = found["data"]["lightflow.cfg"].replace("/etc/lightflow", str(tmp_path)).replace("0.0.0.0", "127.0.0.1")
    (tmp_path / "lightflow.cfg").write_text(text.replace("/var/cache/lightflow", str(tmp_path / "cache")))
    (tmp_path / "store-uri").write_text(mongo_uri)
    (tmp_path / "redis-uri").write_text(redis_url)
    (tmp_path / "signing-key").write_text(secrets.token_hex(32))
    (tmp_path / "signing-key").chmod(0o600)
    with ExitStack() as running:
        started = {}
        for service in ("scheduler", "dag-runner", "task-worker"):
            pod = start(named(objects, f"Deployment/lightflow-{service}"), tmp_path)
            running.callback(pod.process.wait)
            running.callback(pod.process.kill)
            started[service] = pod
        yield started


def control_of(mongo_uri: str, database: str) -> str:
    """Where the control service is, as MongoDB knows it."""
    with MongoClient[Any](mongo_uri) as client:
        return str(until(lambda: client[database]["control"].find_one())["_id"])


def test_pods_become_ready_work_and_end_in_their_grace(
    pods: dict[str, Pod], tmp_path: Path, mongo_uri: str, database_name: str
) -> None:
    for pod in pods.values():
        until(Path(pod.environment["LIGHTFLOW_HEALTH_FILE"]).exists)
        assert pod.passes("startupProbe")
        assert pod.passes("livenessProbe")
        if pod is not pods["scheduler"]:
            assert pod.passes("readinessProbe")

    target = control_of(mongo_uri, database_name)
    probe = container(pods["scheduler"].manifest)["readinessProbe"]["grpc"]
    with grpc.insecure_channel(target) as channel:
        answer = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(service=probe["service"]))
    assert answer.status == health_pb2.HealthCheckResponse.SERVING

    (tmp_path / "flow.py").write_text(FLOW)
    with Client(target) as client:
        assert client.start(tmp_path / "flow.py").wait() == "succeeded"

    assert {name: pod.end() for name, pod in pods.items()} == dict.fromkeys(pods, 0)
