"""What docs/operations/kubernetes.md says is so."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from tests.deploy.rendering import CHART, ROOT, Object, Renderer, container, key, named, of_kind
from tests.deploy.schemas import VERSIONS, check

PAGE = (ROOT / "docs/operations/kubernetes.md").read_text()


def block(first: str) -> str:
    """The code block of the page that begins with this line."""
    found = re.search(rf"^```yaml\n({re.escape(first)}\n.*?)^```$", PAGE, flags=re.MULTILINE | re.DOTALL)
    assert found is not None
    return found[1]


def values(schema: Object, node: Object, path: str = "") -> Iterator[str]:
    """The names of all values, with their sections; `queues` repeats others."""
    if "$ref" in node:
        node = schema["$defs"][node["$ref"].rpartition("/")[2]]
    if "properties" not in node:
        yield path
    for name, child in node.get("properties", {}).items():
        if name != "global":
            yield from values(schema, child, f"{path}.{name}".removeprefix("."))


def test_it_names_the_versions_that_are_checked() -> None:
    assert f"{VERSIONS[0]} to {VERSIONS[-1]}" in PAGE
    assert f">={VERSIONS[0]}.0" in (CHART / "Chart.yaml").read_text()


def test_it_tells_of_every_value() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text())
    assert {name for name in values(schema, schema) if f"`{name}`" not in PAGE} == set()
    assert yaml.safe_load((CHART / "values.yaml").read_text()).keys() == schema["properties"].keys() - {"global"}


def test_what_it_names_exists() -> None:
    paths = set(re.findall(r"(?<![\w/.])(?:deploy|services)/[\w./$-]*[\w]", PAGE))
    assert len(paths) > 5
    assert [path for path in paths if "$" not in path and not (ROOT / path).exists()] == []


def test_its_kustomization_can_be_applied(renderer: Renderer, tmp_path: Path) -> None:
    (tmp_path / "lightflow").symlink_to(ROOT)
    (tmp_path / "production").mkdir()
    (tmp_path / "production/kustomization.yaml").write_text(block("# production/kustomization.yaml"))
    objects = renderer.kustomize(tmp_path / "production")
    worker = named(objects, "Deployment/lightflow-task-worker")
    assert container(worker)["image"] == "registry.example.org/our-workflows:7"
    policy = named(objects, "NetworkPolicy/lightflow-stores")
    assert policy["spec"]["egress"][0]["to"] == [{"ipBlock": {"cidr": "10.1.2.0/24"}}]
    for item in objects:
        check(item, VERSIONS[-1])


def test_its_values_can_be_installed(renderer: Renderer) -> None:
    objects = renderer.chart(values=yaml.safe_load(block("# values.yaml")))
    gpu = named(objects, "Deployment/lightflow-task-worker-gpu")
    assert container(gpu)["image"] == "registry.example.org/our-workflows:7"
    assert [key(item) for item in of_kind(objects, "ScaledObject")] == [
        "ScaledObject/lightflow-task-worker",
        "ScaledObject/lightflow-task-worker-gpu",
    ]
    for item in objects:
        check(item, VERSIONS[-1])


@pytest.mark.parametrize("overlay", ["dev", "production"])
def test_its_overlays_are_rendered_by_the_tests(overlay: str, rendered: dict[str, list[Object]]) -> None:
    assert f"overlays/{overlay}" in PAGE
    assert rendered[overlay]
