"""What holds for every way of rendering deploy/kubernetes."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from jsonschema import ValidationError
from tests.deploy.rendering import (
    ROOT,
    Object,
    Renderer,
    compared,
    configuration,
    container,
    environment,
    key,
    matches,
    named,
    of_kind,
    template,
    written,
)
from tests.deploy.schemas import VERSIONS, check

from lightflow.config import Config
from lightflow.control.v1 import control_pb2
from lightflow.core.variables import FILES, PROCESS, SETTINGS
from lightflow.runtime.settings import EngineSettings

SERVICES = ("scheduler", "dag-runner", "task-worker")
WORKLOADS = ("Deployment", "StatefulSet")
CONTROL = control_pb2.DESCRIPTOR.services_by_name["ControlService"].full_name


def services(objects: list[Object]) -> list[Object]:
    """The Deployments of the three services."""
    return of_kind(objects, "Deployment")


def labels(item: Object) -> dict[str, str]:
    """The labels of the pods of an object."""
    return dict(template(item)["metadata"]["labels"])


def component(item: Object) -> str:
    return labels(item)["app.kubernetes.io/component"]


def test_every_version_of_kubernetes_that_is_supported_knows_every_object(rendered: dict[str, list[Object]]) -> None:
    different = {json.dumps(item, sort_keys=True): item for objects in rendered.values() for item in objects}
    for item in different.values():
        for version in VERSIONS:
            check(item, version)


def test_objects_are_known_where_nothing_can_be_rendered() -> None:
    objects = written()
    assert {"Deployment/lightflow-scheduler", "ScaledObject/lightflow-task-worker"} <= set(map(key, objects))
    for item in objects:
        check(item, VERSIONS[-1])


def test_a_field_that_does_not_exist_is_found() -> None:
    deployment = named(written(), "Deployment/lightflow-scheduler")
    container(deployment)["livenessProb"] = {}
    with pytest.raises(ValidationError):
        check(deployment, VERSIONS[0])
    scaled = named(written(), "ScaledObject/lightflow-task-worker")
    scaled["spec"]["maxReplicas"] = 3
    with pytest.raises(ValidationError):
        check(scaled, VERSIONS[0])


@pytest.mark.parametrize(
    ("kustomize", "chart"),
    [
        ("production", "chart"),
        ("dev", "chart for dev"),
        ("production with a queue", "chart with a queue"),
    ],
)
def test_kustomize_and_the_chart_render_the_same(rendered: dict[str, list[Object]], kustomize: str, chart: str) -> None:
    assert compared(rendered[kustomize]) == compared(rendered[chart])


def test_both_have_the_same_alternative_to_keda(rendered: dict[str, list[Object]]) -> None:
    name = "HorizontalPodAutoscaler/lightflow-task-worker"
    ours = [compared(rendered[how])[name] for how in ("production with HPA", "chart with HPA")]
    assert ours[0] == ours[1]


def test_pods_are_restricted(objects: list[Object]) -> None:
    for item in of_kind(objects, *WORKLOADS):
        pod, only = template(item)["spec"], container(item)
        assert pod["automountServiceAccountToken"] is False
        assert not pod.keys() & {"hostNetwork", "hostPID", "hostIPC", "initContainers"}
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert only["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert only["resources"].keys() == {"requests", "limits"}
        kinds = {next(name for name in volume if name != "name") for volume in pod["volumes"]}
        assert kinds <= {"projected", "emptyDir"}


def test_a_namespace_refuses_pods_that_are_not(rendered: dict[str, list[Object]]) -> None:
    for name in ("dev", "production"):
        (namespace,) = of_kind(rendered[name], "Namespace")
        assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"


def test_selectors_select_the_pods_of_their_own(objects: list[Object]) -> None:
    workloads = of_kind(objects, *WORKLOADS)
    for item in workloads:
        selected = [key(other) for other in workloads if matches(item["spec"]["selector"], labels(other))]
        assert selected == [key(item)]
        for spread in template(item)["spec"].get("topologySpreadConstraints", []):
            assert spread["labelSelector"] == item["spec"]["selector"]
    for item in of_kind(objects, "Service"):
        selected = [other for other in workloads if matches({"matchLabels": item["spec"]["selector"]}, labels(other))]
        assert len(selected) == 1
        targets = {port["targetPort"] for port in item["spec"]["ports"]}
        assert targets == {port["name"] for port in container(selected[0])["ports"]}


def test_each_service_has_a_budget_of_disruptions(objects: list[Object]) -> None:
    budgets = of_kind(objects, "PodDisruptionBudget")
    for item in services(objects):
        found = [budget for budget in budgets if budget["spec"]["selector"] == item["spec"]["selector"]]
        assert [key(budget) for budget in found] == [f"PodDisruptionBudget/{item['metadata']['name']}"]
    assert len(budgets) == len(services(objects))


def test_what_scales_names_a_deployment_that_leaves_its_size_open(objects: list[Object]) -> None:
    scaled = set()
    for item in of_kind(objects, "ScaledObject", "HorizontalPodAutoscaler"):
        target = named(objects, f"Deployment/{item['spec']['scaleTargetRef']['name']}")
        assert "replicas" not in target["spec"]
        assert component(target) == "task-worker"
        scaled.add(key(target))
    rest = [item for item in services(objects) if key(item) not in scaled and component(item) != "task-worker"]
    assert all(item["spec"]["replicas"] >= 1 for item in rest)


def test_a_queue_may_be_at_rest(rendered: dict[str, list[Object]]) -> None:
    parked = named(rendered["chart with everything"], "Deployment/lightflow-task-worker-2024")
    assert parked["spec"]["replicas"] == 0
    assert environment(parked)["LIGHTFLOW_QUEUES"] == "2024"


def test_a_worker_more_is_made_for_as_much_work_as_it_takes(objects: list[Object]) -> None:
    for item in of_kind(objects, "ScaledObject"):
        (trigger,) = item["spec"]["triggers"]
        target = named(objects, f"Deployment/{item['spec']['scaleTargetRef']['name']}")
        default = configuration(objects)["engine"]["task_slots"]
        slots = environment(target).get("LIGHTFLOW_ENGINE_TASK_SLOTS", default)
        assert trigger["metadata"]["queryValue"] == str(slots)
        query = json.loads(trigger["metadata"]["query"])
        queue = environment(target).get("LIGHTFLOW_QUEUES", "task")
        assert [branch["queue"] for branch in query["$or"]] == [queue] * 2
        assert trigger["metadata"]["dbName"] == configuration(objects).get("store", {}).get("database", "lightflow")
        named(objects, f"TriggerAuthentication/{trigger['authenticationRef']['name']}")


def test_work_for_the_python_of_the_image_is_what_counts(rendered: dict[str, list[Object]]) -> None:
    dockerfile = (ROOT / "services/task-worker/Dockerfile").read_text()
    python = re.search(r"^ARG BASE=python:(3\.\d+)", dockerfile, flags=re.MULTILINE)
    assert python is not None
    (trigger,) = named(rendered["production"], "ScaledObject/lightflow-task-worker")["spec"]["triggers"]
    assert f'"python": "{python[1]}"' in trigger["metadata"]["query"]


def test_a_pod_is_killed_only_after_its_tasks_had_their_grace(objects: list[Object]) -> None:
    for item in services(objects):
        grace = float(configuration(objects)["engine"]["shutdown_grace"])
        grace = float(environment(item).get("LIGHTFLOW_ENGINE_SHUTDOWN_GRACE", grace))
        if component(item) == "task-worker":
            assert template(item)["spec"]["terminationGracePeriodSeconds"] >= grace + 30
        else:
            assert template(item)["spec"]["terminationGracePeriodSeconds"] >= 30


def test_one_value_of_the_chart_sets_both_graces(renderer: Renderer) -> None:
    objects = renderer.chart("--set", "taskWorker.shutdownGrace=1800")
    assert configuration(objects)["engine"]["shutdown_grace"] == 1800
    worker = named(objects, "Deployment/lightflow-task-worker")
    assert template(worker)["spec"]["terminationGracePeriodSeconds"] == 1830


def test_images_are_those_that_are_built(rendered: dict[str, list[Object]]) -> None:
    for name in ("base", "chart"):
        for item in services(rendered[name]):
            image, _, tag = container(item)["image"].partition(":")
            dockerfile = (ROOT / "services" / component(item) / "Dockerfile").read_text()
            assert f'org.opencontainers.image.title="{image}"' in dockerfile
            assert f'version = "{tag}"' in (ROOT / "pyproject.toml").read_text()


def test_pods_run_as_the_user_of_the_image(objects: list[Object]) -> None:
    for item in services(objects):
        context = template(item)["spec"]["securityContext"]
        dockerfile = (ROOT / "services" / component(item) / "Dockerfile").read_text()
        assert f"USER {context['runAsUser']}:{context['runAsGroup']}\n" in dockerfile
        assert context["fsGroup"] == context["runAsGroup"]  # or the secret could not be read


def test_the_environment_says_what_the_code_understands(objects: list[Object]) -> None:
    for item in services(objects):
        names = {name for name in environment(item) if name.startswith("LIGHTFLOW_")}
        assert names <= SETTINGS | FILES.keys() | PROCESS
        assert len(environment(item)) == len(container(item)["env"])


def test_the_configuration_can_be_loaded_with_the_secret_beside_it(
    objects: list[Object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (found,) = of_kind(objects, "ConfigMap")
    (tmp_path / "lightflow.cfg").write_text(found["data"]["lightflow.cfg"])
    (tmp_path / "store-uri").write_text("mongodb://one.example:27017")
    (tmp_path / "redis-uri").write_text("redis://two.example:6379/0\n")
    for item in services(objects):
        for name, value in environment(item).items():
            monkeypatch.setenv(name, value.replace("/etc/lightflow", str(tmp_path)))
        config = Config.from_file(None)
        EngineSettings.from_config(config)
        assert config.data_store["uri"] == "mongodb://one.example:27017"
        assert config.signal["uri"] == "redis://two.example:6379/0"
        assert config.celery["broker_url"] is None
        assert config.control["host"] == "0.0.0.0"
        mounts = {mount["mountPath"] for mount in container(item)["volumeMounts"]}
        assert "/etc/lightflow" in mounts
        if component(item) == "task-worker":
            assert config.engine["cache_dir"] in mounts


def test_the_control_service_listens_where_the_service_leads(objects: list[Object]) -> None:
    scheduler = named(objects, "Deployment/lightflow-scheduler")
    (port,) = container(scheduler)["ports"]
    assert port["containerPort"] == configuration(objects)["control"]["port"]
    assert named(objects, "Service/lightflow-control")["spec"]["ports"][0]["port"] == port["containerPort"]


def test_probes_ask_what_exists(objects: list[Object]) -> None:
    for item in of_kind(objects, *WORKLOADS):
        ports = container(item).get("ports", [])
        for kind in ("readinessProbe", "livenessProbe", "startupProbe"):
            probe = container(item).get(kind, {})
            if "grpc" in probe:
                assert probe["grpc"] == {"port": ports[0]["containerPort"], "service": CONTROL}
            if "tcpSocket" in probe:
                assert probe["tcpSocket"]["port"] in [port["name"] for port in ports]


def test_a_service_is_alive_and_ready_as_it_says_itself(objects: list[Object]) -> None:
    health = ["python", "-P", "-m", "lightflow.runtime.health"]
    for item in services(objects):
        only = container(item)
        assert f"CMD {json.dumps(health)}" in (ROOT / "services" / component(item) / "Dockerfile").read_text()
        for kind in ("livenessProbe", "startupProbe"):  # an outage of MongoDB is no reason for a restart
            assert only[kind]["exec"]["command"] == [*health, "--live"]
        if component(item) != "scheduler":
            assert only["readinessProbe"]["exec"]["command"] == health


def _allowed(objects: list[Object], pods: dict[str, str], direction: str) -> list[Any]:
    """The rules of all policies that select these pods."""
    return [
        rule
        for policy in of_kind(objects, "NetworkPolicy")
        if matches(policy["spec"]["podSelector"], pods) and direction.capitalize() in policy["spec"]["policyTypes"]
        for rule in policy["spec"].get(direction, [])
    ]


def _ports(rules: list[Any]) -> set[int]:
    return {port["port"] for rule in rules for port in rule.get("ports", [])}


def test_nothing_is_allowed_that_no_policy_names(objects: list[Object]) -> None:
    denied = [item for item in of_kind(objects, "NetworkPolicy") if item["spec"]["podSelector"] == {}]
    assert [item["spec"] for item in denied] == [{"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}]


def test_each_pod_reaches_what_it_needs_and_no_more(rendered: dict[str, list[Object]]) -> None:
    stores = {6379, 27017}
    for name in ("dev", "production", "production with a queue", "chart", "chart for dev"):
        objects = rendered[name]
        for item in services(objects):
            control = {50051} if component(item) == "task-worker" else set()
            assert _ports(_allowed(objects, labels(item), "egress")) == {53, *stores, *control}
            served = {50051} if component(item) == "scheduler" else set()
            assert _ports(_allowed(objects, labels(item), "ingress")) == served
        for item in of_kind(objects, "StatefulSet"):
            (port,) = container(item)["ports"]
            assert _ports(_allowed(objects, labels(item), "egress")) == {53}
            assert _ports(_allowed(objects, labels(item), "ingress")) == {port["containerPort"]}


def test_task_workers_reach_what_a_value_adds(rendered: dict[str, list[Object]]) -> None:
    objects = rendered["chart with everything"]
    added = {"to": [{"ipBlock": {"cidr": "192.0.2.0/24"}}]}
    assert added in _allowed(objects, labels(named(objects, "Deployment/lightflow-task-worker-gpu")), "egress")
    assert added not in _allowed(objects, labels(named(objects, "Deployment/lightflow-scheduler")), "egress")


def test_whom_a_policy_lets_in_it_lets_out_elsewhere(objects: list[Object]) -> None:
    workloads = of_kind(objects, *WORKLOADS)
    for policy in of_kind(objects, "NetworkPolicy"):
        if policy["spec"]["podSelector"]:
            assert any(matches(policy["spec"]["podSelector"], labels(item)) for item in workloads)


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("taskWorker.slot=3", "'slot' not allowed"),
        ("queues[0].name=Nightly", "does not match pattern"),
        ("queues[0].name=task", "'not' failed"),
        ("taskWorker.autoscaling.by=magic", "must be one of"),
        ("taskWorker.autoscaling.minReplicas=0", "minimum: got 0"),
        ("config.engine.task_slots=3", "config.engine.task_slots is decided by taskWorker.slots"),
    ],
)
def test_a_value_that_is_none_is_refused_by_its_name(renderer: Renderer, value: str, says: str) -> None:
    said = renderer.helm_says("--set", value)
    assert said.returncode != 0
    assert says in said.stderr
