"""Hints that come twice, and hints that nobody here has sent."""

import json
import threading
from contextlib import suppress

from redis.exceptions import RedisError
from tests.chaos.faults.fault import ServerFault, Victim
from tests.chaos.system import SERVICES, System, Times

from lightflow.runtime.broker import HINT, make_app, queue_list
from lightflow.runtime.notify import CHANNEL, PROGRESS_CHANNEL
from lightflow.runtime.services import SERVICES as QUEUES

LISTS = tuple(queue_list(service, QUEUES[service]) for service in SERVICES)


class DoubledHints(ServerFault):
    """Every hint and every notification is sent once more, for a while."""

    name = "hints doubled"

    def __init__(self) -> None:
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    def lasts(self, times: Times) -> float:
        return 3.0

    def begin(self, system: System, victim: Victim) -> None:
        self._over.clear()
        self._thread = threading.Thread(target=self._double, args=(system,), daemon=True)
        self._thread.start()

    def end(self, system: System, victim: Victim) -> None:
        self._over.set()
        with system.redis() as redis, suppress(RedisError):
            redis.ping()  # something to monitor, so that the thread sees that it is over
        assert self._thread is not None
        self._thread.join()

    def _double(self, system: System) -> None:
        sent: list[str] = []
        with system.redis() as redis, redis.monitor() as monitor:
            for command in monitor.listen():
                if self._over.is_set():
                    return
                name, _, rest = command["command"].partition(" ")
                place, _, text = rest.partition(" ")
                if text in sent:
                    sent.remove(text)
                elif (name, place) in self._doubled:
                    sent.append(text)
                    redis.execute_command(name, place, text)

    _doubled = frozenset([("PUBLISH", CHANNEL), ("PUBLISH", PROGRESS_CHANNEL), *(("LPUSH", each) for each in LISTS)])


class ForgedHints(ServerFault):
    """Junk, unknown ids, ids of other things, a newer version: in the lists, in messages, in notifications."""

    name = "hints forged"

    def begin(self, system: System, victim: Victim) -> None:
        app = make_app(system.config, "forger")
        found = [system.db[name].find_one({}, {"_id": 1}) for name in ("runs", "dag_runs", "task_runs")]
        real = [str(document["_id"]) for document in found if document]
        hints: tuple[object, ...] = (
            None,
            5,
            "junk",
            [],
            {},
            {"v": 1},
            {"v": 1, "ids": 7},
            {"v": 1, "ids": ["junk", None, {}, *real]},
        )
        with system.redis() as redis:
            for place in LISTS:
                for hint in (*hints, {"v": 99, "ids": real}):
                    app.send_task(HINT, args=(hint,), queue=place, ignore_result=True)
                app.send_task("nobody.knows.this", queue=place, ignore_result=True)
                app.send_task(HINT, args=(), queue=place, ignore_result=True)
                for junk in (b"", b"junk", b"[]", b"{}", b"null", b"\xff\xfe", json.dumps({"body": "?"}).encode()):
                    redis.lpush(place, junk)
            for junk in (b"", b"junk", b"[]", b'{"kind": 5}', b'{"kind": "stop", "run": "nobody"}', b"\xff"):
                redis.publish(CHANNEL, junk)
                redis.publish(PROGRESS_CHANNEL, junk)
        app.close()
