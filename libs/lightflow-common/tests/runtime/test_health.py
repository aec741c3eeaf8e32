import json
import subprocess
import sys
import time

import pytest

from lightflow.runtime import health
from lightflow.runtime.health import HANGS, main, report, trouble


def told(at=100.0, *, redis=1.0, mongodb=1.0, hangs=0):
    return report(at, 5.0, redis=redis, mongodb=mongodb, hangs=hangs)


def test_who_reaches_both_servers_and_takes_hints_is_well():
    assert trouble(told(), 101.0, live=False) == ""


@pytest.mark.parametrize(
    ("facts", "says"),
    [
        ({"redis": 20.0}, "redis has not been reached for 20 s"),
        ({"mongodb": 40.0}, "MongoDB has not been reached for 40 s"),
        ({"hangs": 2}, "hints wait and none is taken"),
    ],
)
def test_what_keeps_a_service_from_its_work_is_named_and_is_no_reason_to_restart_it(facts, says):
    assert trouble(told(**facts), 101.0, live=False) == says
    assert trouble(told(**facts), 101.0, live=True) == ""


def test_a_consumer_that_hangs_whatever_is_tried_is_a_reason_to_restart():
    assert "replacing it did not help" in trouble(told(hangs=HANGS), 101.0, live=True)


@pytest.mark.parametrize("live", [True, False])
def test_a_service_that_says_nothing_any_more_hangs(live):
    assert "hangs: it has said nothing for 60 s" in trouble(told(), 160.0, live=live)


def asked(file, *arguments):
    said = []
    code = main(list(arguments), {health.FILE: str(file)} if file else {}, said.append)
    return code, said


def test_asking_reads_what_the_service_wrote(tmp_path):
    file = tmp_path / "health"
    assert asked(None) == (2, ["LIGHTFLOW_HEALTH_FILE is not set: the service says nowhere how it is"])
    assert asked(file) == (1, ["the service does not serve yet"])
    health.write(file, told(time.monotonic()))
    assert asked(file) == (0, ["well"])
    health.write(file, told(time.monotonic(), redis=99.0))
    assert asked(file) == (1, ["redis has not been reached for 99 s"])
    assert asked(file, "--live") == (0, ["well"])


def test_asking_loads_no_client(tmp_path):
    (tmp_path / "health").write_text(json.dumps(told(time.monotonic())))
    code = "import sys; from lightflow.runtime.health import main; main([], {}); print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert {"pymongo", "redis", "celery", "grpc", "asyncio"}.isdisjoint(loaded)


def test_what_an_earlier_process_said_is_forgotten_when_a_service_starts(tmp_path):
    file = tmp_path / "health"
    health.write(file, told(at=0.0))
    for _ in range(2):
        health.forget({health.FILE: str(file)})
    assert asked(file) == (1, ["the service does not serve yet"])
    health.forget({})
