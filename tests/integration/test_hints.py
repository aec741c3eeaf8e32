"""Hints and notifications over a real redis: sending them, taking them, and redis going away."""

import asyncio
import base64
import json
import socket
import threading
import time
from contextlib import asynccontextmanager

import pytest
from redis import Redis
from redis.asyncio import Redis as AsyncRedis

from lightflow.config import Config
from lightflow.core.ids import new_id
from lightflow.core.states import Service
from lightflow.runtime import hints as hints_module
from lightflow.runtime.broker import HINT, make_app, queue_list
from lightflow.runtime.consumer import HintConsumer
from lightflow.runtime.consumer_watch import ConsumerWatch
from lightflow.runtime.hints import CHECK_EVERY, Hints
from lightflow.runtime.notify import CHANNEL, PROGRESS_CHANNEL, Notifier, connect_redis
from lightflow.runtime.queues import MARKER, Queues


@pytest.fixture
def redis(redis_url):
    with Redis.from_url(redis_url) as client:
        yield client


@pytest.fixture
def new_app(broker_url):
    """Makes an application whose connections are its own."""
    config = Config()
    config.load_from_dict({"celery": {"broker_url": broker_url}})
    return lambda: make_app(config, "test")


@pytest.fixture
def app(new_app):
    return new_app()


@pytest.fixture
def queue():
    """A queue that no other test uses."""
    return new_id()


@pytest.fixture
def hints(app):
    sender = Hints(app, bound=20)
    yield sender
    sender.close()


def bodies(redis, service, queue):
    """The bodies of the hints that wait, oldest first."""
    messages = [json.loads(each) for each in reversed(redis.lrange(queue_list(service, queue), 0, -1))]
    assert all(message["content-type"] == "application/json" for message in messages)
    return [json.loads(base64.b64decode(message["body"])) for message in messages]


def wait_for(condition, seconds=15):
    """Wait until the condition holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come about"


def forge(app, queue, *arguments, **options):
    """Send something to a queue that no part of this system would."""
    app.send_task(options.pop("name", HINT), args=arguments, queue=queue_list(Service.DAG_RUNNER, queue), **options)


async def until(condition, seconds=15):
    """Wait until the condition holds."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.to_thread(lambda: None)  # let the threads that the condition is about run


def test_a_hint_carries_ids_and_nothing_else(redis, hints, queue):
    hints.send(Service.DAG_RUNNER, queue, ["a", "b"])
    hints.close()
    ((arguments, keywords, _),) = bodies(redis, Service.DAG_RUNNER, queue)
    assert (arguments, keywords) == ([{"v": 1, "ids": ["a", "b"]}], {})


def test_a_thousand_equal_hints_become_one_while_the_broker_is_busy(app, redis, queue):
    app.conf.broker_pool_limit = 1
    hints = Hints(app, bound=20)
    with app.amqp.producer_pool.acquire(block=True):
        for _ in range(1000):
            hints.send(Service.DAG_RUNNER, queue, ["a"])
            hints.send(Service.DAG_RUNNER, queue, ["b"])
    hints.close()
    sent = [id_ for (hint,), _, _ in bodies(redis, Service.DAG_RUNNER, queue) for id_ in hint["ids"]]
    assert len(sent) <= 4, "those of the first batch, and once each what came while it waited"


def test_no_more_hints_wait_in_a_queue_than_the_bound_allows(redis, hints, queue):
    name = queue_list(Service.TASK_WORKER, queue)
    for number in range(2000):
        hints.send(Service.TASK_WORKER, queue, [f"id{number}"])
    hints.close()
    assert 1 <= redis.llen(name) <= 20 + CHECK_EVERY


@pytest.mark.parametrize(
    ("quiet", "ids", "sent"), [(0.0, ["new"], 1), (0.0, ["new", "newer"], 0), (1000.0, ["new"], 0)]
)
def test_a_single_hint_after_a_quiet_time_is_sent_whoever_was_woken_before(
    app, redis, queue, monkeypatch, quiet, ids, sent
):
    monkeypatch.setattr(hints_module, "QUIET", quiet)
    name = queue_list(Service.TASK_WORKER, queue)
    hints = Hints(app, bound=20)
    hints.send(Service.TASK_WORKER, queue, ["first"])
    wait_for(lambda: redis.llen(name) == 1)
    redis.rpush(name, "a hint that wakes somebody", "another")
    hints.send(Service.TASK_WORKER, queue, ids)
    hints.close()
    assert redis.llen(name) == 3 + sent


def test_of_single_hints_that_nobody_takes_few_are_sent(app, redis, queue, monkeypatch):
    monkeypatch.setattr(hints_module, "QUIET", 0.0)
    hints = Hints(app, bound=20)
    for number in range(20):
        hints.send(Service.TASK_WORKER, queue, [f"id{number}"])
        wait_for(lambda: not hints._batch)
    hints.close()
    assert redis.llen(queue_list(Service.TASK_WORKER, queue)) <= 2


def test_a_queue_that_was_full_takes_hints_again_once_there_is_room(app, redis, queue):
    name = queue_list(Service.DAG_RUNNER, queue)
    redis.rpush(name, *range(20))
    full = Hints(app, bound=20)
    full.send(Service.DAG_RUNNER, queue, ["dropped"])
    full.close()
    assert redis.llen(name) == 20
    redis.delete(name)
    again = Hints(app, bound=20)
    again.send(Service.DAG_RUNNER, queue, ["sent"])
    again.close()
    assert redis.llen(name) == 1


def test_hints_sent_while_redis_is_away_are_lost_without_loss_and_later_ones_arrive(servers, redis, app, queue):
    hints = Hints(app, bound=20)
    hints.send(Service.DAG_RUNNER, queue, ["before"])
    servers.stop("redis")
    hints.send(Service.DAG_RUNNER, queue, ["meanwhile"])
    servers.start("redis")
    hints.send(Service.DAG_RUNNER, queue, ["after"])
    hints.close()
    assert "after" in [id_ for (hint,), _, _ in bodies(redis, Service.DAG_RUNNER, queue) for id_ in hint["ids"]]


@asynccontextmanager
async def consuming(broker_url, *queues, **transport):
    """A consumer of queues, its gate shut, and what it took; options of the transport may be given."""
    config, taken = Config(), []
    config.load_from_dict({"celery": {"broker_url": broker_url, "broker_transport_options": transport}})
    consumer = HintConsumer(lambda: make_app(config, "test"), Service.DAG_RUNNER, queues, taken.append)
    consumer.start()
    try:
        yield consumer, taken
    finally:
        consumer.stop()
        for thread in [thread for thread in threading.enumerate() if thread.name == "hint-consumer"]:
            await asyncio.to_thread(thread.join, 10)
            assert not thread.is_alive()


async def test_a_shut_gate_leaves_hints_to_others_and_each_opening_takes_one(redis, broker_url, hints, queue):
    async with consuming(broker_url, queue) as (consumer, taken):
        name = queue_list(Service.DAG_RUNNER, queue)
        for number in range(3):
            hints.send(Service.DAG_RUNNER, queue, [f"id{number}"])
            await until(lambda number=number: redis.llen(name) == number + 1)
        for number in range(3):
            assert (redis.llen(name), len(taken)) == (3 - number, number)
            consumer.open()
            await until(lambda number=number: len(taken) == number + 1)
            assert not consumer.is_open
        assert taken == [["id0"], ["id1"], ["id2"]]


async def test_a_gate_that_is_shut_again_before_a_hint_came_lets_none_in(redis, broker_url, hints, queue):
    async with consuming(broker_url, queue) as (consumer, taken):
        consumer.open()
        hints.send(Service.DAG_RUNNER, queue, ["first"])
        await until(lambda: taken == [["first"]])
        hints.send(Service.DAG_RUNNER, queue, ["second"])
        await until(lambda: redis.llen(queue_list(Service.DAG_RUNNER, queue)) == 1)
        assert taken == [["first"]]


async def test_malformed_and_forged_messages_are_dropped_and_harm_nothing(redis, app, broker_url, hints, queue):
    async with consuming(broker_url, queue) as (consumer, taken):
        name = queue_list(Service.DAG_RUNNER, queue)
        forge(app, queue, "no hint")
        forge(app, queue, {"v": 99, "ids": ["newer"]})
        forge(app, queue)
        forge(app, queue, {"v": 1, "ids": ["x"]}, {"v": 1, "ids": ["y"]})
        forge(app, queue, {"v": 1, "ids": ["x"]}, name="os.system")
        app.send_task(HINT, args=({"v": 1, "ids": ["pickled"]},), queue=name, serializer="pickle")
        redis.lpush(name, b'{"body": "?", "headers": {}, "properties": {"delivery_info": {}, "delivery_tag": "1"}}')
        redis.lpush(name, b"junk", b"[]", b"\xff\xfe", b"null", b"")
        hints.send(Service.DAG_RUNNER, queue, ["good"])
        hints.close()
        async with asyncio.timeout(15):
            while ["good"] not in taken:
                consumer.open()
                await asyncio.to_thread(lambda: None)
        assert [ids for ids in taken if ids] == [["good"]]


async def test_a_consumer_takes_hints_after_each_of_five_restarts_of_redis(servers, redis, broker_url, new_app, queue):
    async with consuming(broker_url, queue) as (consumer, taken):
        for number in range(5):
            servers.restart("redis")
            consumer.open()
            sender = Hints(new_app(), bound=20)  # over a connection that no restart has cut
            sender.send(Service.DAG_RUNNER, queue, [f"id{number}"])
            sender.close()
            await until(lambda number=number: [f"id{number}"] in taken)


async def test_a_consumer_that_hangs_is_replaced(redis, redis_url, broker_url, hints, queue):
    async with consuming(broker_url, queue) as (consumer, taken), AsyncRedis.from_url(redis_url) as asking:
        consumer._taking._retired.set()  # its thread ends
        consumer.open()
        hints.send(Service.DAG_RUNNER, queue, ["stuck"])
        await until(lambda: redis.llen(queue_list(Service.DAG_RUNNER, queue)) == 1)
        watch = ConsumerWatch(consumer, Service.DAG_RUNNER, [queue], Queues(asking))
        await watch.check()
        await watch.check()
        await until(lambda: taken == [["stuck"]])


async def test_a_consumer_that_is_stopped_leaves_hints_to_others(redis, broker_url, hints, queue):
    async with consuming(broker_url, queue) as (consumer, taken):
        consumer.open()
        hints.send(Service.DAG_RUNNER, queue, ["first"])
        await until(lambda: taken == [["first"]])
        consumer.open()
        await until(lambda: any(client["cmd"] == "brpop" for client in redis.client_list()))
        consumer.stop()
        await until(lambda: not any(client["cmd"] == "brpop" for client in redis.client_list()))
        hints.send(Service.DAG_RUNNER, queue, ["second"])
        await until(lambda: redis.llen(queue_list(Service.DAG_RUNNER, queue)) == 1)
        assert taken == [["first"]]


async def test_a_queue_that_is_never_empty_does_not_keep_hints_of_others_waiting(broker_url, hints, queue):
    other = f"{queue}-other"
    for number in range(5):
        hints.send(Service.DAG_RUNNER, queue, [f"busy{number}"])
        wait_for(lambda: not hints._batch)
    hints.send(Service.DAG_RUNNER, other, ["other"])
    hints.close()
    async with consuming(broker_url, queue, other) as (consumer, taken):
        for number in range(2):
            consumer.open()
            await until(lambda number=number: len(taken) == number + 1)
        assert ["other"] in taken


async def test_a_short_timeout_of_the_transport_is_kept_to(redis, broker_url, hints, queue, caplog):
    def asked():
        return redis.info("commandstats").get("cmdstat_brpop", {"calls": 0})["calls"]

    before = asked()
    async with consuming(broker_url, queue, socket_timeout=0.2) as (consumer, taken):
        consumer.open()
        await until(lambda: asked() >= before + 4)
        hints.send(Service.DAG_RUNNER, queue, ["a"])
        await until(lambda: taken == [["a"]])
    assert not caplog.records


async def test_of_several_brokers_the_last_is_tried_too(queue):
    with socket.create_server(("127.0.0.1", 0)) as last:
        last.settimeout(15)
        nobody = "redis://127.0.0.1:1/0;redis://127.0.0.1:2/0"
        async with consuming(f"{nobody};redis://127.0.0.1:{last.getsockname()[1]}/0", queue):
            connection, _ = await asyncio.to_thread(last.accept)
            connection.close()


async def test_a_redis_that_lost_its_memory_is_noticed_once(redis, redis_url):
    async with AsyncRedis.from_url(redis_url) as client:
        queues = Queues(client)
        redis.delete(MARKER)
        assert [await queues.forgot() for _ in range(3)] == [True, False, False]
        redis.flushall()
        assert [await queues.forgot() for _ in range(2)] == [True, False]


@asynccontextmanager
async def notifying(redis_url):
    """A notifier that is connected."""
    config = Config()
    config.load_from_dict({"signal": {"uri": redis_url}})
    notifier = Notifier(connect_redis(config))
    async with notifier.subscribe() as connected:
        await notifier.start()
        assert (await connected.wait(15))[0].missed
    try:
        yield notifier
    finally:
        await notifier.close()


async def test_equal_looks_that_wait_to_be_sent_become_one(redis_url):
    async with notifying(redis_url) as sender, notifying(redis_url) as receiver, receiver.subscribe("run") as looks:
        for _ in range(1000):
            await sender.publish("run", run="a")
        await sender.publish("run", run="last")
        found = []
        while not found or found[-1].ids != {"run": "last"}:
            found += await looks.wait(15)
        assert [look.ids["run"] for look in found] == ["a", "last"]


async def test_only_the_kinds_asked_for_are_told(redis_url):
    async with notifying(redis_url) as notifier, notifier.subscribe("stop", "load") as looks:
        await notifier.publish("run", run="a")
        await notifier.publish("stop", run="b", dag="main:1")
        (look,) = await looks.wait(15)
        assert (look.kind, look.ids) == ("stop", {"run": "b", "dag": "main:1"})


async def test_forged_notifications_are_dropped(redis, redis_url):
    async with notifying(redis_url) as notifier, notifier.subscribe("run") as looks:
        for forged in (b"\xff\xfe", "text", "7", "[]", "{}", '{"run": "x"}', '{"kind": "other"}'):
            redis.publish(CHANNEL, forged)
            redis.publish(PROGRESS_CHANNEL, forged)
        redis.publish(PROGRESS_CHANNEL, '{"kind": "run", "run": "a"}')
        (look,) = await looks.wait(15)
        assert look.ids == {"run": "a"}


async def test_subscribers_are_woken_when_redis_is_back_because_anything_may_have_been_missed(servers, redis_url):
    async with notifying(redis_url) as notifier, notifier.subscribe("run") as looks:
        for _ in range(2):
            servers.restart("redis")
            (look, *_) = await looks.wait(15)
            assert look.missed
        await notifier.publish("run", run="a")
        (look,) = await looks.wait(15)
        assert look.ids == {"run": "a"}
