"""deploy/compose.yaml, with images of the working tree: what `make test` has of it where a container engine answers."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.compose.project import ALL, FILE, ROOT, SERVICES, TAG, Project, docker

from lightflow.client import Client

CTL = Path(sys.executable).parent / "lightflowctl"
long = pytest.mark.skipif(not ALL, reason="the long form: make test-compose")


def ctl(project: Project, *words: str) -> str:
    """What lightflowctl prints on this host, in an empty folder."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LIGHTFLOW_")}
    ran = subprocess.run(
        [CTL, *words],
        cwd=project.folder,
        env={**kept, "HOME": str(project.folder), "LIGHTFLOW_TARGET": project.target},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def test_a_workflow_of_the_image_runs_for_a_client_of_this_host(project):
    assert "report | that is 70.7 degrees Fahrenheit" in ctl(project, "run", "simple")


def test_a_workflow_of_the_mounted_folder_is_found_by_its_name(project):
    text = (ROOT / "libs/lightflow-common/src/lightflow/examples/simple.py").read_text()
    (project.flows / "mine.py").write_text(text.replace("measured", "mine measured"))
    assert "measure | mine measured 21.5 degrees" in ctl(project, "run", "mine")


def test_only_this_machine_can_reach_only_the_control_port(project):
    ports = [(one, project.inspect(one)["NetworkSettings"]["Ports"]) for one in project.containers()]
    published = [binding for _, each in ports for bindings in each.values() for binding in bindings or []]
    assert published == [{"HostIp": "127.0.0.1", "HostPort": str(project.port)}]


@pytest.mark.parametrize("service", ["redis", "mongo", "control", *SERVICES])
def test_a_container_can_do_nothing_but_its_work(project, service):
    container = project.containers(service)[0]  # replicas, which another test may have asked for, are made alike
    found = project.inspect(container)
    host = found["HostConfig"]
    assert host["ReadonlyRootfs"]
    assert host["CapDrop"] == ["ALL"]
    assert not host["CapAdd"]
    assert "no-new-privileges:true" in host["SecurityOpt"]
    assert host["Memory"] > 0
    assert host["RestartPolicy"]["Name"] == "unless-stopped"
    assert found["Config"]["User"] not in ("", "root", "0")
    uid = docker("exec", container, "id", "-u").strip()
    assert uid != "0"


@pytest.mark.parametrize("service", SERVICES)
def test_an_image_says_what_it_is_and_holds_no_tools(images, service):
    image = f"lightflow-{service}:{TAG}"
    labels = docker("image", "inspect", "--format", "{{json .Config.Labels}}", image)
    assert f'"org.opencontainers.image.title":"lightflow-{service}"' in labels
    run = ("run", "--rm", "--entrypoint", "sh", image, "-c")
    assert docker(*run, "ls -d /source /root/.cache /opt/lightflow/bin/uv /tmp/* 2>/dev/null || true") == ""
    packages = docker(*run, "ls /opt/lightflow/lib/python3*/site-packages")
    assert "numpy" not in packages
    others = {one.replace("-", "_") for one in SERVICES if one != service}
    assert not [one for one in others if f"lightflow_{one}" in packages.split()]


@pytest.mark.parametrize(
    ("variable", "value", "says"),
    [
        ("LIGHTFLOW_ENGINE_TASK_SLOTS", "many", "LIGHTFLOW_ENGINE_TASK_SLOTS is a whole number, not 'many'"),
        ("LIGHTFLOW_STORE_PASSWORD_FILE", "/absent", "the file '/absent' cannot be read: No such file or directory"),
    ],
)
def test_a_wrong_value_ends_the_container_with_one_line(images, variable, value, says):
    run = ["docker", "run", "--rm", "-e", f"{variable}={value}", f"lightflow-task-worker:{TAG}"]
    ended = subprocess.run(run, capture_output=True, text=True, check=False, timeout=60)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert says in ended.stderr
    assert len(ended.stderr.splitlines()) == 1


@long
@pytest.mark.parametrize(
    ("variable", "says"),
    [
        ("LIGHTFLOW_STORE_PASSWORD_FILE", "MongoDB refuses username, password or auth_source of `store`"),
        ("LIGHTFLOW_SIGNAL_PASSWORD_FILE", "redis refuses the password of `signal`"),
        ("LIGHTFLOW_ENGINE_SIGNING_KEY_FILE", "engine.signing_key_file: /etc/hostname holds 12 bytes; at least 32"),
    ],
)
def test_a_secret_that_is_refused_ends_the_container_with_one_line(project, variable, says):
    wrong = f"{variable}=/etc/hostname"
    run = ["docker", "compose", "-f", str(FILE), "-p", project.name, "run", "--rm", "--no-deps", "-e", wrong]
    environment = {**os.environ, **project.environment}
    ended = subprocess.run(
        [*run, "-e", "LIGHTFLOW_ENGINE_TASK_SLOT=3", "dag-runner"],
        env=environment, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    said = [line for line in (ended.stdout + ended.stderr).splitlines() if "Container" not in line]
    assert ended.returncode == 2
    assert len(said) == 2
    assert "LIGHTFLOW_ENGINE_TASK_SLOT is not known and has no effect; did you mean" in said[0]
    assert says in said[1]


@long
def test_three_lines_add_packages_and_workflows_to_the_image(images, tmp_path):
    (tmp_path / "workflows").mkdir()
    (tmp_path / "workflows/flow.py").write_text("import idna\n")
    (tmp_path / "workflows/requirements.txt").write_text("idna\n")
    (tmp_path / "Dockerfile").write_text(
        f"FROM lightflow-task-worker:{TAG}\n"
        "COPY workflows /opt/lightflow/workflows\n"
        "RUN pip install -r /opt/lightflow/workflows/requirements.txt\n"
    )
    image = docker("build", "-q", str(tmp_path)).strip()
    try:
        tried = "import idna, lightflow_task_worker; print(open('/opt/lightflow/workflows/flow.py').read())"
        assert docker("run", "--rm", "--entrypoint", "python", image, "-c", tried).strip() == "import idna"
    finally:
        docker("rmi", image, check=False)


@long
def test_a_container_that_is_told_to_stop_ends_at_once_and_well(project, client: Client):
    for service in SERVICES:
        containers = project.containers(service)
        docker("stop", *containers)
        codes = [project.inspect(container)["State"]["ExitCode"] for container in containers]
        assert (service, set(codes)) == (service, {0})
    project.up()
    assert client.start("simple").wait(60) == "succeeded"
