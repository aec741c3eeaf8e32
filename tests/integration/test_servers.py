"""The servers of the embedded stack: they start, answer, keep what they were told, and leave nothing behind."""

import os
import select
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pymongo
import pytest
import redis

from lightflow.local.stack import Servers


def test_both_servers_answer(mongo_uri: str, redis_url: str, database_name: str) -> None:
    with redis.Redis.from_url(redis_url) as hints, pymongo.MongoClient(mongo_uri) as store:
        assert hints.ping()
        store[database_name].runs.insert_one({"_id": "one"})
        assert store[database_name].runs.count_documents({}) == 1


def test_celery_understands_the_broker_url(broker_url: str) -> None:
    kombu = pytest.importorskip("kombu")
    with kombu.Connection(broker_url) as connection:
        connection.ensure_connection(max_retries=1)


def test_the_servers_listen_on_nothing_but_their_sockets(servers: Servers) -> None:
    psutil = pytest.importorskip("psutil")
    for name in ("redis", "mongod"):
        assert psutil.Process(servers.pid(name)).net_connections("inet") == []


def test_a_killed_server_comes_back_with_what_it_had(database_name: str) -> None:
    with Servers.temporary() as own:
        with pymongo.MongoClient(own.mongo_uri) as store:
            runs = store[database_name].get_collection("runs", write_concern=pymongo.WriteConcern(j=True))
            runs.insert_one({"_id": 1})
        own.kill("mongod")
        own.start("mongod")
        with pymongo.MongoClient(own.mongo_uri) as store:
            assert store[database_name].runs.find_one() == {"_id": 1}


def test_redis_keeps_its_lists_over_a_restart() -> None:
    with Servers.temporary() as own:
        with redis.Redis.from_url(own.redis_url) as hints:
            hints.lpush("task-worker:task", "look")
        own.restart("redis")
        with redis.Redis.from_url(own.redis_url) as hints:
            assert hints.lrange("task-worker:task", 0, -1) == [b"look"]


def test_two_pairs_of_servers_do_not_meet(servers: Servers) -> None:
    with Servers.temporary() as other, redis.Redis.from_url(other.redis_url) as theirs:
        theirs.set("whose", "theirs")
        with redis.Redis.from_url(servers.redis_url) as ours:
            assert ours.get("whose") is None


def test_nothing_is_left_behind() -> None:
    with Servers.temporary() as own:
        pids = [own.pid("redis"), own.pid("mongod")]
        folder = own.places.data_dir
    assert not folder.exists()
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)


def test_servers_die_with_the_process_that_started_them(tmp_path: Path) -> None:
    program = (
        "import sys; from lightflow.local.stack import Servers\n"
        "with Servers.temporary() as own:\n"
        "    print(own.pid('redis'), own.pid('mongod'), own.places.data_dir, flush=True); sys.stdin.read()"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        redis_pid, mongod_pid, folder = parent.stdout.readline().split()
        watched = [os.pidfd_open(int(pid)) for pid in (redis_pid, mongod_pid)]
        parent.send_signal(signal.SIGKILL)
        parent.wait()
    for descriptor in watched:
        assert select.select([descriptor], [], [], 10)[0]
        os.close(descriptor)
    shutil.rmtree(folder.decode())
