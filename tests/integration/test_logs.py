import asyncio
from collections.abc import AsyncIterator

import pytest
from pymongo import AsyncMongoClient

from lightflow.runtime.logs import COLLECTION, LogPosition, LogWriter, indexes, read_logs, remove_logs

RUN = "0123456789abcdef01234567"


class Told:
    """A publisher that keeps what was published and wakes whoever waits for it."""

    def __init__(self):
        self.looks = []
        self.arrived = asyncio.Event()

    async def publish(self, kind, **ids):
        self.looks.append((kind, ids))
        self.arrived.set()


@pytest.fixture
async def database(mongo_uri, database_name) -> AsyncIterator:
    client = AsyncMongoClient(mongo_uri, w="majority", journal=True, retryWrites=False, tz_aware=True)
    db = client[database_name]
    for collection, models in indexes().items():
        await db[collection].create_indexes(models)
    yield db
    await client.drop_database(database_name)
    await client.close()


@pytest.fixture
def told():
    return Told()


def writer_of(database, told, task="one", attempt=1, **settings):
    return LogWriter(database, told, run=RUN, dag="main:1", task=task, attempt=attempt, **settings)


async def text_of(database, **asked):
    return b"".join([chunk.text async for chunk in read_logs(database, RUN, **asked)])


async def test_output_can_be_read_while_the_attempt_runs(database, told):
    writer = writer_of(database, told)
    writer.write(b"first ")
    writer.write(b"line\n")
    await asyncio.wait_for(told.arrived.wait(), 5)
    assert await text_of(database) == b"first line\n"
    assert told.looks == [("log", {"run": RUN, "task": "one"})]
    writer.write(b"second")
    await writer.close()
    assert await text_of(database) == b"first line\nsecond"


async def test_what_was_written_is_stored_when_close_returns(database, told):
    writer = writer_of(database, told)
    text = b"".join(b"%07d\n" % number for number in range(100_000))
    for start in range(0, len(text), 10_000):
        writer.write(text[start : start + 10_000])
    await writer.close()
    assert await text_of(database) == text
    assert max([len(chunk["text"]) async for chunk in database[COLLECTION].find()]) <= 256 * 1024


async def test_a_silent_attempt_costs_nothing(database, told):
    await writer_of(database, told).close()
    assert await database[COLLECTION].count_documents({}) == 0
    assert not told.looks


@pytest.mark.parametrize(("written", "kept"), [([60, 60, 5], 100), ([100], 100), ([101], 100), ([99, 1], 100)])
async def test_beyond_the_limit_one_line_says_so(database, told, written, kept):
    writer = writer_of(database, told, limit=100)
    for size in written:
        writer.write(b"x" * size)
    await writer.close()
    text = await text_of(database)
    assert text[:kept] == b"x" * kept
    closing = text[kept:]
    assert closing.count(b"more than 100 bytes") == (1 if sum(written) > 100 else 0)
    assert closing.count(b"\n") in (0, 2)


async def test_a_reader_goes_on_where_it_was(database, told):
    writers = [writer_of(database, told, task) for task in ("one", "two")]
    position = LogPosition()
    seen = []
    for number in range(3):
        for writer in writers:
            writer.write(b"%d" % number)
        for writer in writers:
            await writer._sender
        seen.append(sorted([(chunk.task, chunk.text) async for chunk in read_logs(database, RUN, after=position)]))
    assert seen == [[("one", b"%d" % number), ("two", b"%d" % number)] for number in range(3)]
    assert [chunk async for chunk in read_logs(database, RUN, after=position)] == []


async def test_logs_are_told_apart_by_task_dag_and_attempt(database, told):
    for task, attempt in (("one", 1), ("one", 2), ("two", 1)):
        writer = writer_of(database, told, task, attempt)
        writer.write(f"{task}{attempt} ".encode())
        await writer.close()
    assert await text_of(database, task="one") == b"one1 one2 "
    assert await text_of(database, task="two", dag="main:1") == b"two1 "
    assert await text_of(database, task="two", dag="main:2") == b""
    chunks = [chunk async for chunk in read_logs(database, RUN)]
    assert [(chunk.dag, chunk.attempt) for chunk in chunks] == [("main:1", 1), ("main:1", 2), ("main:1", 1)]
    assert chunks[0].at.utcoffset().total_seconds() == 0


async def test_an_attempt_that_is_run_again_under_its_number_loses_no_output(database, told):
    for text in (b"before ", b"after"):
        writer = writer_of(database, told)
        writer.write(text)
        await writer.close()
    assert await text_of(database) == b"before after"


async def test_removing_the_log_of_a_run_leaves_the_others(database, told):
    for run in (RUN, "f" * 24):
        writer = LogWriter(database, told, run=run, dag="main:1", task="one", attempt=1)
        writer.write(b"text")
        await writer.close()
    await remove_logs(database, RUN)
    assert await text_of(database) == b""
    assert [chunk.text async for chunk in read_logs(database, "f" * 24)] == [b"text"]
