import pytest
from redis.exceptions import ConnectionError as NoRedis

from lightflow.core.states import Service
from lightflow.runtime.consumer_watch import ConsumerWatch


class Consumer:
    def __init__(self):
        self.is_open = True
        self.taken = 0
        self.replaced = 0

    def replace(self):
        self.replaced += 1


class Queues:
    def __init__(self):
        self.waiting = {"task": 0, "gpu": 0}

    async def length(self, service, queue):
        if self.waiting is None:
            raise NoRedis
        return self.waiting[queue]


@pytest.fixture
def consumer():
    return Consumer()


@pytest.fixture
def queues():
    return Queues()


@pytest.fixture
def watch(consumer, queues):
    return ConsumerWatch(consumer, Service.TASK_WORKER, ["task", "gpu"], queues)


async def test_a_consumer_that_takes_nothing_through_two_checks_is_replaced(watch, consumer, queues):
    queues.waiting["gpu"] = 1
    await watch.check()
    assert consumer.replaced == 0
    await watch.check()
    assert consumer.replaced == 1


async def test_the_replacement_has_its_own_two_checks(watch, consumer, queues):
    queues.waiting["task"] = 1
    for _ in range(3):
        await watch.check()
    assert consumer.replaced == 1
    await watch.check()
    assert consumer.replaced == 2


async def test_a_consumer_that_takes_hints_is_kept_however_many_wait(watch, consumer, queues):
    queues.waiting["task"] = 1000
    for _ in range(10):
        consumer.taken += 1
        await watch.check()
    assert consumer.replaced == 0


async def test_a_shut_gate_is_no_hang(watch, consumer, queues):
    queues.waiting["task"], consumer.is_open = 5, False
    for _ in range(5):
        await watch.check()
    assert consumer.replaced == 0


async def test_an_empty_queue_is_no_hang(watch, consumer):
    for _ in range(5):
        await watch.check()
    assert consumer.replaced == 0


async def test_a_suspicion_ends_with_the_queue(watch, consumer, queues):
    for waiting in (1, 0, 1, 0, 1):
        queues.waiting["task"] = waiting
        await watch.check()
    assert consumer.replaced == 0


async def test_a_redis_that_is_away_is_no_hang(watch, consumer, queues):
    queues.waiting = None
    with pytest.raises(NoRedis):
        await watch.check()
    assert consumer.replaced == 0
