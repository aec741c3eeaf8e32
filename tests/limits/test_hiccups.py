"""Alive means consuming: work is taken again soon after redis was restarted three times in three seconds."""

import time
from collections.abc import Iterator

import pytest
from redis import Redis
from tests.e2e.support import seen, write_workflow
from tests.limits.pieces import Pieces, in_pieces
from tests.limits.support import size, until

from lightflow.client import Client
from lightflow.core.states import Service
from lightflow.queue.const import DefaultJobQueueName
from lightflow.runtime.broker import make_app, queue_list
from lightflow.runtime.hints import Hints

TAKEN_WITHIN = 15.0
QUEUES = {
    Service.SCHEDULER: DefaultJobQueueName.Workflow,
    Service.DAG_RUNNER: DefaultJobQueueName.Dag,
    Service.TASK_WORKER: DefaultJobQueueName.Task,
}
FLOW = """
    def nothing(data, store, signal, context):
        pass

    first, second = PythonTask("first", nothing), PythonTask("second", nothing)
    main = Dag("main", schema={first: second})
"""


@pytest.fixture(scope="module")
def pieces(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pieces]:
    flows = tmp_path_factory.mktemp("flows")
    write_workflow(flows, "flow", FLOW)
    with in_pieces(flows) as running:
        yield running


def hint(pieces: Pieces) -> None:
    """Send each service a hint, over a connection that knows nothing of hiccups."""
    hints = Hints(make_app(pieces.config, "tests"), 100)
    for service, queue in QUEUES.items():
        hints.send(service, queue, ["nothing"])
    hints.close()


def hiccup(pieces: Pieces) -> None:
    """Restart redis three times in three seconds."""
    began = time.monotonic()
    for number in range(1, 4):
        pieces.servers.kill("redis")
        pieces.servers.start("redis")
        if number < 3:
            time.sleep(max(0.0, began + number - time.monotonic()))


def hinted(redis: "Redis[bytes]") -> int:
    """How many hints redis was given since it was restarted."""
    return int(redis.info("commandstats").get("cmdstat_lpush", {"calls": 0})["calls"])


def waiting(redis: "Redis[bytes]") -> dict[str, int]:
    """How many hints nobody has taken, by list."""
    lengths = {name: redis.llen(name) for name in (queue_list(*queue) for queue in QUEUES.items())}
    return {name: length for name, length in lengths.items() if length}


def test_work_is_taken_again_after_each_hiccup_of_redis(pieces: Pieces) -> None:
    with Client(pieces.target) as client, Redis.from_url(pieces.servers.redis_url, retry=None) as redis:
        client._control.deploy_workflow("flow")
        for _ in range(size(5, 100)):
            hiccup(pieces)
            run = client.start("flow")
            hint(pieces)
            until(lambda: hinted(redis) >= len(QUEUES), TAKEN_WITHIN, lambda: f"{hinted(redis)} hints were sent")
            assert run.wait(TAKEN_WITHIN) == "succeeded"
            until(lambda: not waiting(redis), TAKEN_WITHIN, lambda: f"hints hang: {waiting(redis)}")
            assert seen(client, run).attempts == {"main:1": {"first": 1, "second": 1}}
