from itertools import pairwise
from pathlib import Path

from lightflow.local.stack.binaries import Binary
from lightflow.local.stack.options import StackOptions
from lightflow.local.stack.places import Places
from lightflow.local.stack.servers import broker_url, mongo_uri, mongod_spec, redis_spec, redis_url
from lightflow.local.stack.services import service_specs, targets

PLACES = Places(Path("/data"), Path("/run/lf-1"))
PLAIN = StackOptions("/data")


def settings_of(argv: tuple[str, ...]) -> dict[str, str]:
    return {name: value for name, value in pairwise(argv) if name.startswith("--")}


def test_redis_listens_on_its_socket_only_and_keeps_every_write() -> None:
    settings = settings_of(redis_spec(PLACES, Binary(Path("/bin/redis-server"))).argv)
    assert settings["--port"] == "0"
    assert settings["--unixsocket"] == "/run/lf-1/redis.sock"
    assert settings["--appendonly"] == "yes"
    assert settings["--save"] == ""
    assert settings["--maxmemory-policy"] == "noeviction"


def test_mongod_listens_on_its_socket_only_and_stays_small() -> None:
    spec = mongod_spec(PLACES, Binary(Path("/bin/mongod"), {"LD_LIBRARY_PATH": "/l"}))
    settings = settings_of(spec.argv)
    assert settings["--bind_ip"] == "/run/lf-1/mongod.sock"
    assert settings["--port"] == "0"
    assert "--nounixsocket" in spec.argv
    assert settings["--wiredTigerCacheSizeGB"] == "0.25"
    assert spec.environment["LD_LIBRARY_PATH"] == "/l"


def test_the_addresses_are_what_their_clients_understand() -> None:
    assert redis_url(PLACES) == "unix:///run/lf-1/redis.sock"
    assert broker_url(PLACES) == "redis+socket:///run/lf-1/redis.sock?virtual_host=0"
    assert mongo_uri(PLACES) == "mongodb://%2Frun%2Flf-1%2Fmongod.sock"


def test_a_stack_has_one_of_each_service_unless_told_otherwise() -> None:
    assert [spec.name for spec in service_specs(PLACES, PLAIN, 10.0)] == ["scheduler", "dag-runner", "task-worker"]


def test_services_are_started_as_modules_of_this_python() -> None:
    modules = [spec.argv[1:] for spec in service_specs(PLACES, PLAIN, 10.0)]
    assert modules == [
        ("-P", "-m", name) for name in ("lightflow_scheduler", "lightflow_dag_runner", "lightflow_task_worker")
    ]


def test_replicas_have_names_that_last() -> None:
    options = StackOptions("/data", replicas={"task-worker": 3})
    workers = [spec for spec in service_specs(PLACES, options, 10.0) if spec.service == "task-worker"]
    assert [spec.name for spec in workers] == ["task-worker", "task-worker-2", "task-worker-3"]
    names = [spec.environment["LIGHTFLOW_ENGINE_WORKER_NAME"] for spec in workers]
    assert names == ["task-worker-1", "task-worker-2", "task-worker-3"]


def test_each_scheduler_has_a_control_socket_of_its_own() -> None:
    options = StackOptions("/data", replicas={"scheduler": 2})
    sockets = [spec.environment.get("LIGHTFLOW_CONTROL_SOCKET") for spec in service_specs(PLACES, options, 10.0)]
    assert sockets[:3] == ["/run/lf-1/control.sock", "/run/lf-1/control-2.sock", None]
    assert targets(PLACES, options) == ("unix:/run/lf-1/control.sock", "unix:/run/lf-1/control-2.sock")


def test_further_queues_are_served_besides_the_default_one() -> None:
    options = StackOptions("/data", queues={"task-worker": ("high", "task"), "scheduler": ("mine",)})
    queues = {spec.name: spec.environment["LIGHTFLOW_QUEUES"] for spec in service_specs(PLACES, options, 10.0)}
    assert queues == {"scheduler": "workflow,mine", "dag-runner": "dag", "task-worker": "task,high"}


def test_task_slots_are_told_when_chosen() -> None:
    chosen = service_specs(PLACES, StackOptions("/data", task_slots=2), 10.0)[-1].environment
    assert chosen["LIGHTFLOW_ENGINE_TASK_SLOTS"] == "2"
    assert "LIGHTFLOW_ENGINE_TASK_SLOTS" not in service_specs(PLACES, PLAIN, 10.0)[-1].environment


def test_a_service_may_take_its_grace_and_a_little_more() -> None:
    assert {spec.grace for spec in service_specs(PLACES, PLAIN, 10.0)} == {15.0}
